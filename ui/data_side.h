// DataSide: the right side of Data: both prompts as the models read them, side by side with their lengths and the cue on orange, or the
// decoded batch with its loss mask; the row's lint, and where its cue comes from. UI thread; owned by the Data page.
#pragma once

#include <QSyntaxHighlighter>
#include <QWidget>

#include "ui/models/data_lint.h"

class QPlainTextEdit;
class QSplitter;

namespace cuescope {

class FactTable;
class Panel;
class ElidedLabel;

/// One prompt for the side: text with the pictures folded to «[image, 36 tokens]».
struct SidePrompt {
  QString text, cue;  // cue: what is to be marked in it
  int tokens = -1;    // -1: not counted, because no model is open
};

class LintList : public QWidget {
  Q_OBJECT
 public:
  explicit LintList(QWidget* parent = nullptr);
  void setFindings(const std::vector<Finding>& findings);
  const std::vector<Finding>& findings() const { return m_findings; }
  QSize sizeHint() const override { return {300, int(m_findings.size()) * 34 + 4}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  std::vector<Finding> m_findings;
};

class DataSide : public QWidget {
  Q_OBJECT
 public:
  explicit DataSide(QWidget* parent = nullptr);
  void setPrompts(const SidePrompt& student, const SidePrompt& teacher, const QString& note);
  void setFindings(const std::vector<Finding>& findings) { m_lint->setFindings(findings); }
  void setProvenance(const CueEdit& cue, const DataRow* row);
  /// The teacher's prompt follows an edit before the engine has rendered it: `text` is the old one with the cue exchanged.
  void setTeacherText(const QString& text, const QString& cue);
  /// Prompt and reference answer as tokens; what the loss counts has the student's ground. Empty with a reason.
  void setBatch(const std::vector<BatchToken>& batch, const QString& note);
  QPlainTextEdit* batchText() const { return m_batch; }
  QString batchNote() const;
  Panel* promptPanel() const { return m_promptPanel; }
  /// Puts the three panels, which have no parent now, one below the other or behind one set of tabs.
  void placePanels(bool tabs);
  void defaultSizes();
  QPlainTextEdit* studentText() const { return m_text[0]; }
  QPlainTextEdit* teacherText() const { return m_text[1]; }
  LintList* lint() const { return m_lint; }
  QString studentHead() const;  // «Student, 431 tokens»
  QString teacherHead() const;

 private:
  void mark();
  QPlainTextEdit* m_text[2] = {};
  ElidedLabel* m_head[2] = {};
  QPlainTextEdit* m_batch = nullptr;
  ElidedLabel* m_batchHead = nullptr;
  std::vector<std::pair<int, int>> m_trained;  // characters of the batch that the loss counts: begin, end
  QString m_cue, m_heads[2];
  QSplitter* m_split = nullptr;
  Panel* m_promptPanel = nullptr;
  Panel* m_lintPanel = nullptr;
  Panel* m_provenancePanel = nullptr;
  LintList* m_lint = nullptr;
  FactTable* m_provenance = nullptr;
};

}  // namespace cuescope
