// DataPage: the rows of a data file; the chosen row's picture with its evidence marks and its cue, to edit; both prompts side by
// side; lint of the row and of the whole set, in the tokens of a run's own processors. Rows come from the engine in pages. Edits can be
// undone and are kept beside the data (engine/core/cue_edits.h), never in it; those that are not on the disk yet come back with the
// session. UI thread; owned by the main window.
#pragma once

#include <QAbstractTableModel>
#include <QHash>
#include <QImage>
#include <QSet>
#include <QSortFilterProxyModel>
#include <QTimer>
#include <QWidget>
#include <deque>
#include <optional>
#include <unordered_map>

#include "ui/data_side.h"
#include "ui/page_view.h"
#include "ui/roomy_page.h"
#include "ui/sample_walk.h"
#include "ui/session.h"
#include "ui/session_file.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QPlainTextEdit;
class QPushButton;
class QTableView;
class QTableWidget;
class QSplitter;
class QStackedWidget;
class QUndoStack;

namespace cuescope {

class CueCanvas;
class ElidedLabel;
class EmptyPanel;
class FrameStrip;
class ErrorPanel;
class SegmentedButton;
class Workspace;

/// Rows that have arrived; more are asked for when the view reaches the end (fetchMore).
class DataRowsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Index, Id, Kind, Question, Answer, Cue, Columns };
  explicit DataRowsModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}
  void clear(const QString& file);
  void add(const DataRows& rows);
  QString file() const { return m_file; }
  qint64 total() const { return m_total; }
  const DataRow* row(int index) const;
  /// The row as the data has it, with a picture that was let go of again.
  void replace(const DataRow& row);
  /// Bytes of pictures that are here, and how many there may be (a few that were looked at last may pass it).
  qint64 pictureBytes() const { return m_bytes; }
  void setPictureLimit(qint64 bytes) { m_pictureLimit = bytes; }
  /// Cue of a row as it was edited; the model shows the data's own otherwise.
  void setEdits(const CueEdits* edits) { m_edits = edits; }
  CueEdit cueAt(int index) const;
  void touch(int index);  // its cue has changed
  /// Its first picture, small; null when it is not here.
  QImage thumbnailAt(int index) const;
  /// The worst finding of a row with its cue as it is now, or null; kept until the row is touched.
  const Finding* worstAt(int index) const;

  int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : int(m_rows.size()); }
  int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : Columns; }
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;
  bool canFetchMore(const QModelIndex& parent) const override;
  void fetchMore(const QModelIndex& parent) override;

 Q_SIGNALS:
  void rowsWanted(qint64 first, int count);

 private:
  QString m_file;
  qint64 m_total = -1;
  bool m_waiting = false;
  std::vector<DataRow> m_rows;
  qint64 m_bytes = 0, m_pictureLimit = 128ll << 20;  // of pictures
  std::deque<int> m_fetched;  // rows whose picture was asked for again, oldest first
  const CueEdits* m_edits = nullptr;
  mutable std::unordered_map<int, std::optional<Finding>> m_worst;  // of rows that were looked at
  mutable QHash<int, QImage> m_thumbs;  // the same
};

class DataPage : public QWidget, public RoomyPage, public SessionPart, public ViewSource, public SampleWalk {
  Q_OBJECT
 public:
  DataPage(Session& session, Workspace& workspace, QWidget* parent = nullptr);
  void openFile(const QString& file);
  DataRowsModel* model() const { return m_model; }
  QTableView* table() const { return m_table; }
  CueCanvas* canvas() const { return m_canvas; }
  FrameStrip* pictures() const { return m_pictures; }
  QPlainTextEdit* cueField() const { return m_cue; }
  QLineEdit* searchField() const { return m_search; }
  QListWidget* complaints() const { return m_complaints; }
  int complaintCount() const { return int(m_found.size()); }
  QPushButton* saveButton() const { return m_save; }
  QPushButton* lintButton() const { return m_lintAll; }
  QPushButton* suggestButton() const { return m_suggest; }
  QComboBox* judgeChooser() const { return m_judge; }
  SegmentedButton* tools() const { return m_tools; }
  ErrorPanel* errorPanel() const { return m_error; }
  ErrorPanel* rowErrorPanel() const { return m_rowError; }
  QString file() const { return m_model->file(); }
  /// The run whose models, limits and privilege lint and prompts go by.
  RunConfig judge() const;
  DataSide* side() const { return m_side; }
  void chooseTool(int tool);  // of CueCanvas::Tool
  /// The chosen row's cue as it is now.
  CueEdit currentCue() const;
  /// Edited rows that are not on the disk yet.
  int unsaved() const { return int(m_dirty.size()); }
  /// Keeps all edits in FILE.edits.jsonl. False with the reason in the page.
  bool save();
  /// Source with its edits as a new file; never the source itself. The answer comes in the page.
  void saveAs(const QString& file);
  /// Asks the teacher for a cue of the chosen row, without its answer; a second call cancels.
  void suggestCue();
  void stopSuggesting();
  void lintAll();
  void jumpTo(qint64 row);
  QStringList viewNames() const override;  // data_views.cpp, as are the next
  PageView view(const QString& name) const override;
  void showFailure(const Failure& failure) override { fail(failure); }

  int sampleCount() const override;
  int sampleAt() const override;
  std::pair<QString, QString> sampleName(int at) const override;
  void goToSample(int at, bool inspect) override;

  QString sessionKey() const override { return QStringLiteral("data"); }
  QJsonObject sessionState() const override;
  void restoreSessionState(const QJsonObject& state) override;

 Q_SIGNALS:
  /// A row is sent to Inspect (double click, Enter or the button).
  void rowChosen(const cuescope::DataRow& row);
  void openRequested();
  void said(const QString& words);  // for the status bar
  void stateChanged();              // row, mark, edits: what can be done now may be something else

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void placePanels() override;
  void defaultSizes() override;

 private:
  QWidget* buildRows();
  QWidget* buildEditor();
  void connectRows();
  void placeColumns();
  int currentRow() const;  // of the model
  int sourceRow(int shown) const;  // of the model, of a row of the table
  void showRow();
  void showPicture(int picture);  // of the row's
  void sendRow();                 // to Inspect
  void showCue();          // marks, text, lint and provenance of the chosen row
  void edit(const CueEdit& next, const QString& words, const QString& mergeKey);
  void put(const CueEdit& cue);
  void checkRow();
  void showVerdict();
  void previewCue(const CueEdit& before);
  void fillJudges();
  QString teacherModel(QString* refusal) const;
  CueEdits unsavedEdits() const;
  void refreshState();
  void fail(const Failure& failure);
  void showLint(const DataLint& lint);
  void endLint(int run, const QString& note, const QString& sums = {});
  void sayLint(const QString& note, const QString& sums);
  void applySearch();

  Session& m_session;
  Workspace& m_workspace;
  DataRowsModel* m_model = nullptr;
  QSortFilterProxyModel* m_filter = nullptr;
  CueEdits m_edits;
  QSet<qint64> m_dirty;
  QHash<QString, CueEdits> m_kept;  // of files that were left with edits that are not on the disk
  mutable std::optional<RunConfig> m_judged;  // what judge() read last, of
  mutable QString m_judgedFor;
  std::optional<RowVerdict> m_verdict;
  QString m_verdictFile, m_notComputed;  // why the row could not be checked
  bool m_suggesting = false, m_sendLater = false;
  int m_suggested = 0;
  QUndoStack* m_undo = nullptr;
  qint64 m_wantedRow = -1, m_askedRow = -1;  // to jump to; whose picture was asked for again
  int m_prompted = 0;
  bool m_linting = false, m_filling = false;
  bool m_tight = false;  // the table's columns are
  int m_lintRun = 0;  // tells the newest lint from one that was cancelled
  std::vector<Complaint> m_found;
  QTimer m_promptTimer;

  QStackedWidget* m_stack = nullptr;
  QSplitter* m_split = nullptr;
  EmptyPanel* m_empty = nullptr;
  ErrorPanel* m_error = nullptr;
  ErrorPanel* m_rowError = nullptr;
  ElidedLabel* m_title = nullptr;
  QLineEdit* m_search = nullptr;
  QComboBox* m_show = nullptr;
  QTableView* m_table = nullptr;
  QPushButton* m_inspect = nullptr;
  ElidedLabel* m_lintHead = nullptr;
  QLabel* m_lintSums = nullptr;  // complaints by check
  QPushButton* m_lintAll = nullptr;
  QListWidget* m_complaints = nullptr;
  SegmentedButton* m_tools = nullptr;
  QComboBox* m_judge = nullptr;
  QPushButton* m_suggest = nullptr;
  QPushButton* m_save = nullptr;
  CueCanvas* m_canvas = nullptr;
  FrameStrip* m_pictures = nullptr;  // of a row with several
  ElidedLabel* m_readout = nullptr;
  ElidedLabel* m_cueHead = nullptr;
  QPlainTextEdit* m_cue = nullptr;
  QTableWidget* m_marks = nullptr;
  DataSide* m_side = nullptr;
};

}  // namespace cuescope
