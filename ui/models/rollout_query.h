// RolloutQuery: what the search field of Rollouts understands.
//   gap > 0.5 and not text:"theorem"     reward <= 0.1 or ends:length     tri-0102
// Fields with numbers: gap (mean |gap|, nats), max, reward (or score), tokens (or length), step. With words: text (prompt and
// response), prompt, answer, kind, id, ends (stop, length). A bare word is looked for in id, prompt, answer and text.
// A value: parsed once, asked for every row. Any thread.
#pragma once

#include <QString>
#include <functional>
#include <memory>

#include "engine/core/rollout_index.h"

namespace cuescope {

class RolloutQuery {
 public:
  using Text = std::function<QString()>;  // prompt and response of a row, read only when a condition needs it
  /// An empty query takes every row. False with `error` in words when the text cannot be understood.
  bool parse(const QString& text, QString* error);
  bool matches(const RolloutFacts& facts, const Text& text) const { return !m_root || m_root->holds(facts, text); }
  bool isEmpty() const { return !m_root; }

  struct Node {
    virtual ~Node() = default;
    virtual bool holds(const RolloutFacts& facts, const Text& text) const = 0;
    virtual int cost() const { return 0; }  // 2: reads the response
  };

 private:
  std::shared_ptr<const Node> m_root;
};

}  // namespace cuescope
