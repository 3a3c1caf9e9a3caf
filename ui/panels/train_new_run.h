// NewRunForm: every parameter of a run, from a preset, searchable, with unit, default, source and a sentence; the YAML beside
// it as it will be written, or what differs from another run; what the run will need; all complaints at once, each under its
// field. What has been typed is kept in a file and comes back with the next window. Starts nothing itself. UI thread; owned by
// the page.
#pragma once

#include <QWidget>
#include <memory>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/run_plan.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QStackedWidget;
class QTableWidget;
class QTimer;
class QToolButton;
class QVBoxLayout;

namespace cuescope {

class ElidedLabel;
class SegmentedButton;

/// Where a run trains.
enum class RunPlace { Process, Window };

class NewRunForm : public QWidget {
  Q_OBJECT
 public:
  explicit NewRunForm(QWidget* parent = nullptr);

  /// Fills the form; file paths in the config stay as they are.
  void setConfig(const RunConfig& config);
  const RunConfig& config() const { return m_config; }
  /// Reads a preset by its place in the list; false with its complaints shown when it does not parse.
  bool choosePreset(int index);
  QStringList presets() const { return m_presets; }
  void setStudent(const QString& folder);
  /// Sets one field as if it had been typed; false when the value breaks its rule.
  bool setField(const QString& key, const QString& value);
  /// The field that has the focus goes back to its default.
  void resetFocused();
  /// Why no run can start now; empty when one can.
  void setRefusal(const QString& reason);
  int complaints() const { return int(m_issues.size()); }
  RunPlace place() const;
  void setPlace(RunPlace place);
  /// Keeps what is typed in this file from now on, and takes back what it holds.
  void keepIn(const QString& file);
  /// Runs that the form can be compared with: name and YAML.
  void setRuns(const std::vector<std::pair<QString, QString>>& runs);
  /// The answer to planWanted(): of the configuration that is shown, or why there is none.
  void setPlan(const RunPlan& plan);
  void setPlanFailure(const QString& why);
  QString planText() const;

 Q_SIGNALS:
  void startRequested(const cuescope::RunConfig& config, cuescope::RunPlace place);
  void queueRequested(const cuescope::RunConfig& config, cuescope::RunPlace place);
  void planWanted(const cuescope::RunConfig& config);
  void cancelled();

 private:
  struct Row {
    const ConfigField* field = nullptr;
    QWidget* box = nullptr;
    QLineEdit* text = nullptr;
    QComboBox* choice = nullptr;
    QCheckBox* check = nullptr;
    QLabel* note = nullptr;  // the complaint, or the sentence
    QLabel* label = nullptr;
    QToolButton* reset = nullptr;
    QString typed;           // what the person wrote, when it breaks the field's rule
    QString rule;
  };
  /// Everything that a preset replaces.
  struct Whole {
    RunConfig config, preset;
    int shown = 0;  // in the drop-down
    std::vector<std::pair<QString, QString>> broken;  // typed and rule, by row
  };
  Whole whole() const;
  void setWhole(const Whole& whole);
  void makeRow(const ConfigField& field, QVBoxLayout* column);
  void edited(Row& row, const QString& value);
  void take(Row& row, const QString& value);
  void showValue(Row& row, const QString& value);
  QString shown(const Row& row) const;
  void fillDiff();
  void save() const;
  void refresh();
  void filter();

  RunConfig m_config, m_presetConfig;
  int m_presetShown = 0;  // the drop-down's choice before a person's
  std::vector<ConfigIssue> m_issues;
  std::vector<std::unique_ptr<Row>> m_rows;
  std::vector<std::pair<QLabel*, QString>> m_heads;
  QStringList m_presets;
  QComboBox* m_preset = nullptr;
  QLineEdit* m_search = nullptr;
  QCheckBox* m_changedOnly = nullptr;
  QPlainTextEdit* m_yaml = nullptr;
  ElidedLabel* m_summary = nullptr;
  ElidedLabel* m_planLine = nullptr;
  QPushButton *m_start = nullptr, *m_enqueue = nullptr;
  SegmentedButton *m_place = nullptr, *m_side = nullptr;
  QStackedWidget* m_sideStack = nullptr;
  QComboBox* m_against = nullptr;
  QTableWidget* m_diff = nullptr;
  QLabel* m_diffCount = nullptr;
  QTimer *m_planTimer = nullptr, *m_saveTimer = nullptr;
  std::vector<std::pair<QString, QString>> m_runs;
  QString m_file, m_plannedYaml;
  QString m_refusal;
};

}  // namespace cuescope
