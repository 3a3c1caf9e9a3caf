// AskBar: what is asked of whom: student, teacher, a second student beside it, pictures, question, cue, and Ask. Two rows above the map. Holds the request
// that the next Ask sends; knows nothing of the engine. UI thread.
#pragma once

#include <QWidget>

#include "engine/engine.h"

class QComboBox;
class QLineEdit;
class QPushButton;
class QToolButton;

namespace cuescope {

class ElidedLabel;
class Workspace;

class AskBar : public QWidget {
  Q_OBJECT
 public:
  AskBar(Workspace& workspace, QWidget* parent = nullptr);

  /// Everything of a request that a person can see and change; the rest of `request` (evidence, sample) is kept until the
  /// picture changes.
  void setRequest(const InspectRequest& request);
  InspectRequest request() const;
  void setPicture(const QString& file);
  void setPicture(const std::vector<std::uint8_t>& encoded, const QString& label);
  /// One more picture or video of the same prompt.
  void addPicture(const QString& file);
  bool hasPicture() const;
  int pictures() const;
  /// The student that reads the same response beside the shown one; "" for none.
  void setBeside(const QString& path);
  QString beside() const;
  QComboBox* besideChooser() const { return m_beside; }
  void setStudent(const QString& path);
  void setTeacher(const QString& path);
  QString student() const;
  QString teacher() const;
  /// Adds the loaded run's student and teacher to the choosers, or takes them away.
  void setRunAvailable(const QString& run);
  /// What takes the place of the run's student and teacher when the run is no longer loaded: its newest checkpoint (or where it
  /// began) and its teacher's folder.
  void setRunResult(const QString& student, const QString& teacher);
  void setBusy(bool busy);
  void focusQuestion();
  QLineEdit* questionField() const { return m_question; }
  QLineEdit* cueField() const { return m_cue; }
  QPushButton* askButton() const { return m_ask; }
  QToolButton* captureButton() const { return m_capture; }

 Q_SIGNALS:
  void asked();
  void cancelled();
  void openRequested();
  void addRequested();
  void besideChanged();

 private:
  void fillModels();
  void namePicture();
  void updateAsk();

  Workspace& m_workspace;
  InspectRequest m_request;
  QString m_run, m_resultStudent, m_resultTeacher;
  bool m_busy = false;
  QComboBox* m_student = nullptr;
  QComboBox* m_teacher = nullptr;
  QComboBox* m_beside = nullptr;
  QToolButton* m_add = nullptr;
  QToolButton* m_capture = nullptr;
  ElidedLabel* m_picture = nullptr;
  QLineEdit* m_question = nullptr;
  QLineEdit* m_cue = nullptr;
  QPushButton* m_ask = nullptr;
};

}  // namespace cuescope
