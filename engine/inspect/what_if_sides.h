// The two sides of a what-if: the prompt and the model as they are, and as they are changed; and random changes of the same kind and
// size to compare with. Engine thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/inspect/inspector.h"
#include "engine/model/intervention.h"

namespace cuescope {

/// What one side's model reads, and what is silenced in it.
struct WhatIfSide {
  RowInput prompt;
  Intervention intervention;
  bool intervenes = false;
  std::string cue;

  const Intervention* silenced() const { return intervenes ? &intervention : nullptr; }
};

class WhatIfSides {
 public:
  /// Error when nothing is changed, or a thing to be changed is not there.
  WhatIfSides(const Qwen3VL& model, const Processor& processor, const WhatIfRequest& request, Condition subject, std::int64_t responseLength);

  const WhatIfSide& before() const { return m_before; }
  const WhatIfSide& after() const { return m_after; }
  /// A random change of the same kind and size; the same for the same seed on every platform.
  WhatIfSide random(std::uint64_t seed) const;
  /// False when there is nothing to draw from: all layers silenced, or only another token chosen.
  bool hasRandom() const { return !m_randomWhat.empty(); }
  /// "erase 9 patches, module off"
  const std::string& description() const { return m_description; }
  /// "sets of 9 patches, …"
  const std::string& randomWhat() const { return m_randomWhat; }

 private:
  void changeModule();
  void changeCue();
  void silence(std::int64_t length);
  void describe(const std::string& what, const std::string& random);

  const Qwen3VL& m_model;
  const Processor& m_processor;
  const WhatIfRequest& m_request;
  WhatIfSide m_before, m_after;
  std::vector<int> m_region;
  std::string m_description, m_randomWhat;
};

/// `intervention` for the knock-outs of a model with so many layers and heads, over rows of `length` tokens. Error names what is not
/// there.
void addKnockOuts(Intervention& intervention, const std::vector<KnockOut>& knockOuts, std::int64_t layers, std::int64_t heads, std::int64_t length);

/// The cue with sides, colours and numbers exchanged for others; the same text when it names none.
std::string wrongCue(const std::string& cue);

}  // namespace cuescope
