// EvaluateSettings: how an evaluation asks: what the model reads beside the question, and how its answers are drawn, as
// `cuescope-cli eval` has them. A strip of fields; those that greedy answers do not have are disabled with the reason. UI thread.
#pragma once

#include "engine/engine.h"
#include "ui/panels/panel.h"

class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace cuescope {

class SegmentedButton;

class EvaluateSettings : public Strip {
  Q_OBJECT
 public:
  explicit EvaluateSettings(QWidget* parent = nullptr);
  /// Privilege, sampling, answers a row and K.
  void apply(EvaluateRequest& request) const;
  /// «greedy» or «temperature 0.7, 8 answers a row, pass@4»; with what is read beside the question.
  QString words() const;

  QComboBox* privilege() const { return m_privilege; }
  SegmentedButton* decoding() const { return m_decoding; }
  QDoubleSpinBox* temperature() const { return m_temperature; }
  QDoubleSpinBox* topP() const { return m_topP; }
  QSpinBox* answers() const { return m_answers; }
  QSpinBox* passK() const { return m_passK; }
  QSpinBox* seed() const { return m_seed; }
  QSpinBox* longest() const { return m_longest; }

 Q_SIGNALS:
  void changed();

 private:
  void refresh();
  QComboBox* m_privilege = nullptr;
  SegmentedButton* m_decoding = nullptr;
  QDoubleSpinBox* m_temperature = nullptr;
  QDoubleSpinBox* m_topP = nullptr;
  QSpinBox* m_answers = nullptr;
  QSpinBox* m_passK = nullptr;
  QSpinBox* m_seed = nullptr;
  QSpinBox* m_longest = nullptr;
};

}  // namespace cuescope
