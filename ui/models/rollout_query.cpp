#include "ui/models/rollout_query.h"

#include <QCoreApplication>
#include <QRegularExpression>
#include <cmath>
#include <algorithm>
#include <stdexcept>
#include <vector>

namespace cuescope {
namespace {

using Node = RolloutQuery::Node;
using NodePtr = std::shared_ptr<const Node>;

QString tr(const char* words) { return QCoreApplication::translate("RolloutQuery", words); }

struct Compare : Node {
  double (*field)(const RolloutFacts&) = nullptr;
  QString op;
  double value = 0;
  bool holds(const RolloutFacts& facts, const RolloutQuery::Text&) const override {
    const double x = field(facts);
    if (!std::isfinite(x)) return false;  // not saved: neither above nor below
    if (op == u">") return x > value;
    if (op == u"<") return x < value;
    if (op == u">=") return x >= value;
    if (op == u"<=") return x <= value;
    return op == u"!=" ? std::abs(x - value) > 1e-6 : std::abs(x - value) <= 1e-6;
  }
};

struct Words : Node {
  QString field, words;
  bool holds(const RolloutFacts& facts, const RolloutQuery::Text& text) const override {
    const auto in = [&](const std::string& where) { return QString::fromStdString(where).contains(words, Qt::CaseInsensitive); };
    if (field == u"prompt") return in(facts.prompt);
    if (field == u"answer") return in(facts.answer);
    if (field == u"kind") return in(facts.kind);
    if (field == u"id") return in(facts.sampleId);
    if (field == u"ends") return facts.stopped >= 0 && QStringLiteral("length stop eos").split(u' ')[facts.stopped].startsWith(words == u"eos" ? QStringLiteral("stop") : words);
    if (field.isEmpty() && (in(facts.sampleId) || in(facts.prompt) || in(facts.answer))) return true;
    return text().contains(words, Qt::CaseInsensitive);
  }
  int cost() const override { return field.isEmpty() || field == u"text" ? 2 : 1; }
};

struct Not : Node {
  NodePtr inner;
  bool holds(const RolloutFacts& facts, const RolloutQuery::Text& text) const override { return !inner->holds(facts, text); }
  int cost() const override { return inner->cost(); }
};

struct Join : Node {
  bool all = true;
  std::vector<NodePtr> parts;  // the cheap ones first
  bool holds(const RolloutFacts& facts, const RolloutQuery::Text& text) const override {
    for (const NodePtr& part : parts)
      if (part->holds(facts, text) != all) return !all;
    return all;
  }
  int cost() const override { return parts.empty() ? 0 : parts.back()->cost(); }
};

double (*numberField(const QString& name))(const RolloutFacts&) {
  if (name == u"gap") return [](const RolloutFacts& f) { return double(f.meanGap); };
  if (name == u"max") return [](const RolloutFacts& f) { return double(f.maxGap); };
  if (name == u"reward" || name == u"score") return [](const RolloutFacts& f) { return double(f.score); };
  if (name == u"tokens" || name == u"length") return [](const RolloutFacts& f) { return f.tokens < 0 ? std::nan("") : double(f.tokens); };
  if (name == u"step") return [](const RolloutFacts& f) { return double(f.step); };
  return nullptr;
}

class Parser {
 public:
  explicit Parser(const QString& text) {
    static const QRegularExpression kToken(QStringLiteral(R"re(\s*(\(|\)|[A-Za-z]+:"[^"]*"|[A-Za-z]+:[^\s()]+|"[^"]*"|>=|<=|!=|[<>=]|[^\s()<>=!"]+|\S))re"));
    for (auto it = kToken.globalMatch(text); it.hasNext();) m_tokens << it.next().captured(1);
  }
  NodePtr parse() {
    NodePtr node = any();
    if (m_at < m_tokens.size()) throw std::invalid_argument(tr("«%1» is not expected here").arg(m_tokens[m_at]).toStdString());
    return node;
  }

 private:
  bool take(const QString& word) {
    if (m_at >= m_tokens.size() || m_tokens[m_at].compare(word, Qt::CaseInsensitive) != 0) return false;
    ++m_at;
    return true;
  }
  static NodePtr join(std::vector<NodePtr> parts, bool all) {
    if (parts.size() == 1) return parts.front();
    std::stable_sort(parts.begin(), parts.end(), [](const NodePtr& a, const NodePtr& b) { return a->cost() < b->cost(); });
    auto node = std::make_shared<Join>();
    node->all = all;
    node->parts = std::move(parts);
    return node;
  }
  NodePtr any() {
    std::vector<NodePtr> parts{every()};
    while (take(QStringLiteral("or"))) parts.push_back(every());
    return join(std::move(parts), false);
  }
  NodePtr every() {
    std::vector<NodePtr> parts{one()};
    for (;;) {
      if (take(QStringLiteral("and"))) {
        parts.push_back(one());
        continue;
      }
      if (m_at >= m_tokens.size() || m_tokens[m_at] == u")" || m_tokens[m_at].compare(u"or", Qt::CaseInsensitive) == 0) break;
      parts.push_back(one());  // words side by side: all of them
    }
    return join(std::move(parts), true);
  }
  NodePtr one() {
    if (m_at >= m_tokens.size()) throw std::invalid_argument(tr("something is missing at the end").toStdString());
    if (take(QStringLiteral("not"))) {
      auto node = std::make_shared<Not>();
      node->inner = one();
      return node;
    }
    if (take(QStringLiteral("("))) {
      NodePtr inner = any();
      if (!take(QStringLiteral(")"))) throw std::invalid_argument(tr("a closing bracket is missing").toStdString());
      return inner;
    }
    const QString token = m_tokens[m_at++];
    static const QStringList kOps{QStringLiteral(">"), QStringLiteral("<"), QStringLiteral(">="), QStringLiteral("<="), QStringLiteral("="), QStringLiteral("!=")};
    if (m_at < m_tokens.size() && kOps.contains(m_tokens[m_at])) {
      const auto field = numberField(token.toLower());
      if (!field) throw std::invalid_argument(tr("«%1» is no number of a rollout; there are gap, max, reward, tokens and step").arg(token).toStdString());
      auto node = std::make_shared<Compare>();
      node->field = field;
      node->op = m_tokens[m_at++];
      bool ok = false;
      if (m_at < m_tokens.size()) node->value = QString(m_tokens[m_at]).replace(QChar(0x2212), u'-').toDouble(&ok);
      if (!ok) throw std::invalid_argument(tr("a number is missing after «%1 %2»").arg(token, node->op).toStdString());
      ++m_at;
      return node;
    }
    if (kOps.contains(token) || token == u")") throw std::invalid_argument(tr("«%1» is not expected here").arg(token).toStdString());
    auto node = std::make_shared<Words>();
    if (const qsizetype colon = token.indexOf(u':'); colon > 0 && !token.startsWith(u'"')) {
      node->field = token.left(colon).toLower();
      static const QStringList kFields{QStringLiteral("text"), QStringLiteral("prompt"), QStringLiteral("answer"), QStringLiteral("kind"), QStringLiteral("id"), QStringLiteral("ends")};
      if (!kFields.contains(node->field)) throw std::invalid_argument(tr("«%1» is no field; there are text, prompt, answer, kind, id and ends").arg(node->field).toStdString());
      node->words = token.mid(colon + 1);
    } else {
      node->words = token;
    }
    if (node->words.startsWith(u'"')) node->words = node->words.mid(1, node->words.size() - (node->words.endsWith(u'"') && node->words.size() > 1 ? 2 : 1));
    return node;
  }

  QStringList m_tokens;
  qsizetype m_at = 0;
};

}  // namespace

bool RolloutQuery::parse(const QString& text, QString* error) {
  m_root.reset();
  if (error) error->clear();
  if (text.trimmed().isEmpty()) return true;
  try {
    m_root = Parser(text).parse();
    return true;
  } catch (const std::invalid_argument& why) {
    if (error) *error = QString::fromUtf8(why.what());
    return false;
  }
}

}  // namespace cuescope
