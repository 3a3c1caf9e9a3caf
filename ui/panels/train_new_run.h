// NewRunForm: every parameter of a run, from a preset, searchable, with unit, default, source and a sentence; the YAML beside
// it as it will be written; all complaints at once, each under its field. Starts nothing itself. UI thread; owned by the page.
#pragma once

#include <QWidget>
#include <memory>
#include <vector>

#include "engine/core/config.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QVBoxLayout;

namespace cuescope {

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
  /// Why no run can start now; empty when one can.
  void setRefusal(const QString& reason);
  int complaints() const { return int(m_issues.size()); }

 Q_SIGNALS:
  void startRequested(const cuescope::RunConfig& config);
  void cancelled();

 private:
  struct Row {
    const ConfigField* field = nullptr;
    QWidget* box = nullptr;
    QLineEdit* text = nullptr;
    QComboBox* choice = nullptr;
    QCheckBox* check = nullptr;
    QLabel* note = nullptr;  // the complaint, or the sentence
    QString typed;           // what the person wrote, when it breaks the field's rule
    QString rule;
  };
  void makeRow(const ConfigField& field, QVBoxLayout* column);
  void edited(Row& row, const QString& value);
  void refresh();
  void filter();

  RunConfig m_config, m_presetConfig;
  std::vector<ConfigIssue> m_issues;
  std::vector<std::unique_ptr<Row>> m_rows;
  std::vector<std::pair<QLabel*, QString>> m_heads;
  QStringList m_presets;
  QComboBox* m_preset = nullptr;
  QLineEdit* m_search = nullptr;
  QCheckBox* m_changedOnly = nullptr;
  QPlainTextEdit* m_yaml = nullptr;
  QLabel* m_summary = nullptr;
  QPushButton* m_start = nullptr;
  QString m_refusal;
};

}  // namespace cuescope
