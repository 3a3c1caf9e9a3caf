// Preferences: what a person has set for the window as a whole, kept in the settings. A list of values with their words, from which the
// dialog and the palette are made; whoever obeys one reads it where it acts and hears changed(). UI thread.
#pragma once

#include <QObject>
#include <QVariant>
#include <vector>

namespace cuescope {

struct EngineOptions;

namespace preference {  // keys; also their names in the settings
inline constexpr const char *kTheme = "theme", *kScale = "window/scale", *kColorMap = "inspect/color_map", *kCaptureMib = "inspect/capture_mib", *kAnswerTokens = "inspect/answer_tokens",
                            *kSmoothing = "train/smoothing", *kPictureMib = "data/picture_mib", *kExportScale = "export/scale", *kReopen = "session/reopen", *kAutosave = "session/autosave",
                            *kDevice = "engine/device", *kNumbers = "engine/dtype", *kThreads = "engine/threads";
}

struct Preference {
  QString key, group, title, help, unit;
  QVariant standard;
  std::vector<std::pair<QVariant, QString>> choices;  // empty: a whole number from low to high
  int low = 0, high = 0;
  QString atLow = {};      // what the lowest number means, in words; empty: the number
  bool nextStart = false;  // acts at the next start
  /// A value as it is read: with its unit, or the choice's words.
  QString words(const QVariant& value) const;
};

const std::vector<Preference>& preferences();

class Preferences : public QObject {
  Q_OBJECT
 public:
  static Preferences& instance();
  /// As it is kept, or the default where nothing is kept or what is kept is not one of the values.
  QVariant value(const char* key) const;
  int number(const char* key) const { return value(key).toInt(); }
  QString text(const char* key) const { return value(key).toString(); }
  void set(const QString& key, const QVariant& value);
  /// The colour map as it is kept, for a window that begins.
  void applyLooks();

 Q_SIGNALS:
  void changed(const QString& key);

 private:
  void act(const QString& key);
};

/// Device, number format and threads for the engine of this start.
EngineOptions engineOptions();
/// Tells Qt the chosen scale, unless the environment says one; before the application is made.
void applyScale();

}  // namespace cuescope
