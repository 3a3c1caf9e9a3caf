// AlignmentPanel: both rendered prompts, where the response begins in each, placeholder counts, and a verdict. CueScorePanel:
// the shown map against the evidence boxes, beside what a uniform map would score. UI thread.
#pragma once

#include <QWidget>

#include "ui/inspection_view.h"

class QLabel;
class QPlainTextEdit;

namespace cuescope {

class ElidedLabel;
class EmptyPanel;
class FactTable;

/// Shares of text, image, cue and response in a sequence, as one bar.
class SequenceBar : public QWidget {
  Q_OBJECT
 public:
  explicit SequenceBar(QWidget* parent = nullptr);
  void setPrompt(const RenderedPrompt& prompt, int responseTokens);
  QSize sizeHint() const override { return {200, 10}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  struct Part {
    int tokens = 0;
    int kind = 0;  // 0 text, 1 image, 2 cue, 3 response
  };
  std::vector<Part> m_parts;
};

class AlignmentPanel : public QWidget {
  Q_OBJECT
 public:
  explicit AlignmentPanel(QWidget* parent = nullptr);
  void setInspection(const InspectionPtr& inspection);
  QString verdict() const;
  FactTable* table() const { return m_table; }

 protected:
  void changeEvent(QEvent* event) override;

 private:
  void showPrompt(QPlainTextEdit* view, const RenderedPrompt& prompt);
  InspectionPtr m_inspection;
  QLabel* m_mark = nullptr;
  QWidget* m_body = nullptr;  // all but the verdict
  ElidedLabel* m_verdict = nullptr;
  ElidedLabel* m_titles[2] = {nullptr, nullptr};
  SequenceBar* m_bars[2] = {nullptr, nullptr};
  QPlainTextEdit* m_texts[2] = {nullptr, nullptr};
  FactTable* m_table = nullptr;
  FactTable* m_boundary = nullptr;
};

class CueScorePanel : public QWidget {
  Q_OBJECT
 public:
  explicit CueScorePanel(QWidget* parent = nullptr);
  void setMap(const InspectionPtr& inspection, const MapSlice& map);
  FactTable* table() const { return m_table; }

 private:
  FactTable* m_table = nullptr;
  FactTable* m_sites = nullptr;  // every captured site at its best layer
  EmptyPanel* m_empty = nullptr;
};

}  // namespace cuescope
