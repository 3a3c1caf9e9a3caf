// EvaluatePage: an evaluation of a model or checkpoint on a data file, sample by sample; two of them side by side; the board of
// finished runs. Evaluations are kept as files (engine/core/evaluation_file.h) and opened again. UI thread; owned by the main window.
#pragma once

#include <QWidget>

#include "ui/models/evaluation_pairs.h"
#include "ui/page_view.h"
#include "ui/sample_walk.h"
#include "ui/session.h"

class QBoxLayout;
class QComboBox;
class QMenu;
class QPlainTextEdit;
class QPushButton;
class QSpinBox;
class QSplitter;
class QTableWidget;
class QToolButton;

namespace cuescope {

class BoardView;
class ElidedLabel;
class ErrorPanel;
class EvaluateSettings;
class FactTable;
class FrameStrip;
class ImageCanvas;
class SampleRows;
class SegmentedButton;
class TaskProgress;
class Workspace;

class EvaluatePage : public QWidget, public ViewSource, public SampleWalk {
  Q_OBJECT
 public:
  EvaluatePage(Session& session, Workspace& workspace, QWidget* parent = nullptr);

  /// Asks the chosen model the chosen rows, in turn with a run that trains; a second call cancels.
  void evaluate();
  void pause();  // or go on
  void cancel();
  // evaluate_files.cpp
  /// Reads an evaluation that `cuescope-cli eval --output`, a run or this page has kept, and shows it as A.
  void openFile(const QString& file);
  /// Writes evaluation A: samples as JSON lines, its scores beside them. False with the reason on the page when the disk refuses.
  bool saveFile(const QString& file);
  void openDialog();
  void saveDialog();
  /// Finished here, or read from a file of results.
  void addEvaluation(const EvaluationPtr& evaluation, const QString& name, const QString& model = {});
  void refreshBoard();
  QStringList viewNames() const override;  // evaluate_views.cpp, as are the next
  PageView view(const QString& name) const override;
  void showFailure(const Failure& failure) override;

  int sampleCount() const override;
  int sampleAt() const override;
  std::pair<QString, QString> sampleName(int at) const override;
  void goToSample(int at, bool inspect) override;

  QComboBox* modelChooser() const { return m_model; }
  QSpinBox* rowsField() const { return m_rows; }
  QComboBox* dataChooser() const { return m_data; }
  QPushButton* evaluateButton() const { return m_evaluate; }
  QPushButton* pauseButton() const { return m_pause; }
  QPushButton* inspectButton() const { return m_inspect; }
  ErrorPanel* errorPanel() const { return m_error; }
  SegmentedButton* filter() const { return m_filter; }
  QTableWidget* table() const { return m_table; }
  BoardView* boardView() const { return m_board; }
  QComboBox* chooserA() const { return m_a; }
  QComboBox* chooserB() const { return m_b; }
  EvaluateSettings* settings() const { return m_settings; }
  QToolButton* savedButton() const { return m_saved; }
  QPlainTextEdit* answer(int which) const { return m_texts[which]; }
  FrameStrip* pictures() const { return m_pictures; }
  ImageCanvas* picture() const { return m_picture; }
  QTableWidget* scores() const { return m_scores; }
  int evaluations() const { return int(m_done.size()); }
  bool busy() const { return m_id != 0; }
  QString verdict() const;

 Q_SIGNALS:
  void said(const QString& words);
  void inspectRequested(const cuescope::InspectRequest& request);
  void sampleShown();                  // another sample, or none
  void runChosen(const QString& run);  // of a cell of the board

 protected:
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Done {
    EvaluationPtr evaluation;
    QString name, model;  // model: as it was asked for, a folder or kRunStudent
  };
  void fillChoosers();
  void fillSamples();
  void showSample();
  void showProgress();
  void finished(const EvaluationPtr& evaluation);
  void fillSaved();  // the menu of what can be opened
  bool endReading(const QString& file);  // whether it was still wanted
  void keep(const EvaluationPtr& evaluation);
  QString nameOf(const QString& file, const Evaluation& evaluation) const;
  void inspectSample();
  bool m_inspectLater = false;  // when the chosen sample's picture is here
  void fillScores();
  QString inspectRefusal() const;  // why the chosen sample cannot be opened in Inspect; empty when it can
  const Evaluation* chosen(const QComboBox* box) const;

  Session& m_session;
  Workspace& m_workspace;
  SampleRows* m_samples = nullptr;
  std::vector<Done> m_done;
  QStringList m_reading;  // files
  EvaluationPairs m_pairs;
  std::vector<int> m_shown;  // of m_pairs.rows
  qint64 m_id = 0;           // of the evaluation that is under way, 0: none
  QString m_name, m_asked;   // its name, and the model that it was asked of
  qint64 m_limit = 0;        // of rows, 0: all
  QString m_runDirectory;    // of the run whose student was asked

  BoardView* m_board = nullptr;
  QSplitter* m_vertical = nullptr;
  bool m_boardSized = false;  // by a person
  void fitBoard();
  QComboBox* m_model = nullptr;
  QComboBox* m_data = nullptr;
  QSpinBox* m_rows = nullptr;
  EvaluateSettings* m_settings = nullptr;
  QToolButton* m_saved = nullptr;
  QMenu* m_savedMenu = nullptr;
  QPushButton* m_evaluate = nullptr;
  QPushButton* m_pause = nullptr;
  TaskProgress* m_progress = nullptr;
  ErrorPanel* m_error = nullptr;
  QComboBox* m_a = nullptr;
  QComboBox* m_b = nullptr;
  SegmentedButton* m_filter = nullptr;
  QTableWidget* m_table = nullptr;
  QTableWidget* m_scores = nullptr;
  ElidedLabel* m_verdict = nullptr;
  ImageCanvas* m_picture = nullptr;
  FrameStrip* m_pictures = nullptr;  // of a sample with several
  FactTable* m_facts = nullptr;
  QBoxLayout* m_answers = nullptr;
  ElidedLabel* m_heads[2] = {};
  QPlainTextEdit* m_texts[2] = {};
  QPushButton* m_inspect = nullptr;
};

}  // namespace cuescope
