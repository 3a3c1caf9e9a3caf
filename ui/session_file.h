// SessionFile: what the window was about, kept beside the settings so that a crash loses at most a few seconds; and the check of
// the settings themselves. UI thread; the writing is done on a thread of its own, so that a slow disk stops no frame.
//   <settings folder>/session.json   {"format": 1, "saved": time, "ended": true after an orderly close, "state": {...}}
//   <settings folder>/session.capture  the last answer, readable without the model (engine/core/capture.h)
// Damaged files and files of another version are kept under «.bak» names and named in a notice; defaults take their place.
#pragma once

#include <QJsonObject>
#include <QLockFile>
#include <QObject>
#include <QString>
#include <QThreadPool>
#include <memory>
#include <optional>

#include "engine/core/snapshots.h"
#include "engine/engine.h"

namespace cuescope {

inline constexpr int kSettingsVersion = 1;
inline constexpr int kSessionFormat = 1;

/// A page or panel that has something worth restoring after a crash (unsaved edits, a filled form) implements this; the window
/// finds it among its widgets. Keys are unique in the window. restoreSessionState() must survive any object.
class SessionPart {
 public:
  virtual ~SessionPart() = default;
  virtual QString sessionKey() const = 0;
  virtual QJsonObject sessionState() const = 0;
  virtual void restoreSessionState(const QJsonObject& state) = 0;
};

/// Call before anything reads the settings. Settings that cannot be read, or of another version, are moved to «NAME.bak»
/// (then .bak2, ...); returns the sentence that says so, "" when all is well.
QString checkSettings();

/// A request as JSON, with an encoded picture of up to 8 MB inside, and back; unknown keys are ignored.
QJsonObject requestToJson(const InspectRequest& request);
InspectRequest requestFromJson(const QJsonObject& json);

class SessionFile : public QObject {
  Q_OBJECT
 public:
  explicit SessionFile(QObject* parent = nullptr);
  ~SessionFile() override;  // waits for the write that is under way

  /// False when another window of this person keeps its session already: this one keeps none.
  bool lock();
  struct Found {
    QJsonObject state;
    QString saved;         // local time of day
    bool ended = true;     // closed in order
    QString capture;       // file of the last answer, "" if none
  };
  /// What the last window left; empty when nothing did. `notice` gets a sentence when the file had to be set aside.
  std::optional<Found> read(QString* notice);
  /// Writes the state if it differs from the last one written. `ended`: an orderly close, written before it returns.
  void write(const QJsonObject& state, bool ended = false);
  /// Keeps the answer; only the newest one that waits is written.
  void keep(const InspectionPtr& inspection, const InspectRequest& request);
  void forgetCapture();
  QString folder() const { return m_folder; }

 Q_SIGNALS:
  void failed(const QString& sentence);  // nothing can be kept; said once

 private:
  void report(const QString& sentence);
  QString m_folder;
  std::unique_ptr<QLockFile> m_lock;
  QByteArray m_last;
  bool m_reported = false;
  QThreadPool m_pool;
};

}  // namespace cuescope
