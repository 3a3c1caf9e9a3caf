// CaptureSettings: which layers, vision blocks and response tokens Inspect captures, and what they may take: for the answer and for
// the sites that are computed later. Empty fields capture all. A strip that is folded away until it is asked for. UI thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "ui/panels/panel.h"

class QLineEdit;
class QSpinBox;

namespace cuescope {

class ElidedLabel;

/// «0-3, 8» as ascending numbers without repetition; empty text: none (all). Nothing when it is no such list, with the reason.
std::optional<std::vector<int>> numberRanges(const QString& text, QString* why);

class CaptureSettings : public Strip {
  Q_OBJECT
 public:
  explicit CaptureSettings(QWidget* parent = nullptr);
  /// Layers, blocks, tokens and budget. False when a field is wrong; it says so itself.
  bool apply(InspectRequest& request) const;
  /// What is wrong with the fields, in words; empty when nothing is.
  QString complaint() const;
  /// «layers 0-3, tokens 2-5, at most 512 MiB»; empty while everything is as usual.
  QString words() const;
  /// Part of the key that a cost was asked for.
  QString key() const;

  QLineEdit* layersField() const { return m_layers; }
  QLineEdit* visionField() const { return m_vision; }
  QLineEdit* tokensField() const { return m_tokens; }
  QSpinBox* budgetField() const { return m_budget; }

 Q_SIGNALS:
  void changed();

 private:
  void judge();
  QLineEdit* m_layers = nullptr;
  QLineEdit* m_vision = nullptr;
  QLineEdit* m_tokens = nullptr;
  QSpinBox* m_budget = nullptr;
  int m_usual = 0;  // MiB, of the settings
  ElidedLabel* m_note = nullptr;
};

}  // namespace cuescope
