#include "ui/models/rollout_store.h"

#include <QFileInfo>
#include <QImage>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr int kPart = 400;         // rows a message to the window
constexpr int kSliceMs = 6;        // of filtering at a time
constexpr int kPublishEveryMs = 250;
}  // namespace

RolloutStore::~RolloutStore() {
  m_loader.request_stop();
  m_searcher.request_stop();
}

void RolloutStore::open(const QString& folderOrFile) {
  m_source = folderOrFile;
  m_single = QFileInfo(folderOrFile).isFile();
  m_files.clear();
  m_step = kAllSteps;
  ++m_question;
  m_searcher.request_stop();
  if (m_single) m_files.push_back({folderOrFile.toStdString(), -1});
  else if (!folderOrFile.isEmpty()) m_files = rolloutFiles(folderOrFile.toStdString());
  setStep(kAllSteps - 1);  // nothing
}

std::vector<int> RolloutStore::steps() const {
  std::set<int> found;
  if (m_single) {
    for (const RolloutFacts& facts : m_rows) found.insert(facts.step);
  } else {
    for (const RolloutFile& file : m_files) found.insert(file.step);
  }
  return {found.begin(), found.end()};
}

bool RolloutStore::hasStep(int step) const {
  if (m_single) return true;  // not known before it is read
  return std::any_of(m_files.begin(), m_files.end(), [&](const RolloutFile& file) { return file.step == step; });
}

void RolloutStore::setStep(int step) {
  if (m_single && step >= kAllSteps && m_step >= kAllSteps && !m_scanners.empty()) {  // the file is read already, or being read
    m_step = step;
    return;
  }
  m_step = step;
  ++m_generation;
  m_loader.request_stop();
  if (m_loader.joinable()) m_loader.join();  // ends at the next line
  m_scanners.clear();
  m_rows.clear();
  m_problems = 0;
  m_firstProblem.clear();
  m_loading = m_again = false;
  Q_EMIT reset();
  load();
}

void RolloutStore::refresh() {
  if (m_source.isEmpty()) return;
  if (!m_single) {
    // New files only at the end: numbers of known files stay.
    const std::vector<RolloutFile> now = rolloutFiles(m_source.toStdString());
    for (const RolloutFile& file : now)
      if (std::none_of(m_files.begin(), m_files.end(), [&](const RolloutFile& known) { return known.path == file.path; })) m_files.push_back(file);
  }
  if (m_loading) m_again = true;
  else load();
}

void RolloutStore::load() {
  struct Part {
    int number;
    std::shared_ptr<RolloutScanner> scanner;
    qint64 bytes;
  };
  std::vector<Part> parts;
  for (int number = 0; number < int(m_files.size()); ++number) {
    const RolloutFile& file = m_files[std::size_t(number)];
    if (m_step < kAllSteps || (!m_single && m_step != kAllSteps && file.step != m_step)) continue;
    auto& scanner = m_scanners[number];
    if (!scanner) scanner = std::make_shared<RolloutScanner>(file.path, number, file.step);
    parts.push_back({number, scanner, QFileInfo(QString::fromStdString(file.path)).size()});
  }
  if (parts.empty()) {
    Q_EMIT loadingChanged();
    return;
  }
  m_loading = true;
  m_fraction = 0;
  Q_EMIT loadingChanged();
  if (m_loader.joinable()) m_loader.join();
  m_loader = std::jthread([this, parts, generation = m_generation](std::stop_token stop) {
    const double total = std::max<double>(1, std::accumulate(parts.begin(), parts.end(), 0.0, [](double sum, const Part& part) { return sum + double(part.bytes); }));
    double before = 0;
    int problems = 0;
    QString first;
    const auto post = [this, generation](std::function<void()> call) {
      QMetaObject::invokeMethod(this, [this, generation, call = std::move(call)] { if (generation == m_generation) call(); }, Qt::QueuedConnection);
    };
    try {
      for (const Part& part : parts) {
        while (!stop.stop_requested()) {
          std::vector<RolloutFacts> rows = part.scanner->next(kPart, stop);
          if (rows.empty()) break;
          post([this, rows = std::move(rows), fraction = (before + double(part.scanner->offset())) / total] {
            const int at = int(m_rows.size());
            m_rows.insert(m_rows.end(), rows.begin(), rows.end());
            m_fraction = std::min(1.0, fraction);
            Q_EMIT rowsAdded(at);
          });
        }
        before += double(part.bytes);
        problems += part.scanner->problems();
        if (first.isEmpty() && part.scanner->problems() > 0) first = QString::fromStdString(part.scanner->firstProblem());
      }
    } catch (...) {
      post([this, failure = currentFailure("reading saved responses")] { Q_EMIT failed(failure); });
    }
    post([this, problems, first] {
      m_loading = false;
      m_problems = problems;
      m_firstProblem = first;
      if (std::exchange(m_again, false)) load();
      else Q_EMIT loadingChanged();
    });
  });
}

QString RolloutStore::fileOf(const RolloutFacts& facts) const {
  return facts.file >= 0 && facts.file < int(m_files.size()) ? QString::fromStdString(m_files[std::size_t(facts.file)].path) : QString();
}

void RolloutStore::findSame(const RolloutFacts& facts) {
  m_searcher.request_stop();
  if (m_searcher.joinable()) m_searcher.join();
  m_searcher = std::jthread([this, facts, files = m_files, own = fileOf(facts).toStdString(), question = ++m_question](std::stop_token stop) {
    std::vector<RolloutFacts> rows;
    try {
      rows = samePrompt(files, own, facts, stop);
    } catch (const Error&) {
      rows.clear();  // the file is gone: its list says so when it is read
    }
    if (stop.stop_requested()) return;
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
    QMetaObject::invokeMethod(this, [this, rows = std::move(rows), question] { if (question == m_question) Q_EMIT sameFound(rows); }, Qt::QueuedConnection);
  });
}

// ---- the table -------------------------------------------------------------------------------------------------------------

RolloutTable::RolloutTable(RolloutStore& store, QObject* parent) : QAbstractTableModel(parent), m_store(store), m_threshold(std::nan("")) {
  m_timer.setSingleShot(true);
  connect(&m_timer, &QTimer::timeout, this, &RolloutTable::filterSome);
  connect(&store, &RolloutStore::reset, this, &RolloutTable::restart);
  connect(&store, &RolloutStore::rowsAdded, this, [this] { if (!m_timer.isActive()) m_timer.start(0); });
  connect(&store, &RolloutStore::loadingChanged, this, [this] { if (!m_timer.isActive()) m_timer.start(0); });
  m_sincePublished.start();
}

void RolloutTable::restart() {
  m_next.clear();
  m_nextGaps.clear();
  m_filterAt = m_nextConsidered = 0;
  if (m_store.rows().empty()) publish();
  m_timer.start(0);
}

void RolloutTable::setQuery(const RolloutQuery& query) {
  m_query = query;
  restart();
}
void RolloutTable::setThreshold(double nats) {
  m_threshold = nats;
  restart();
}
void RolloutTable::setStep(int step) {
  if (step == m_step) return;
  m_step = step;
  restart();
}

// A slice at a time: conditions on text read the file, and 100,000 rows of them take seconds.
void RolloutTable::filterSome() {
  const auto& rows = m_store.rows();
  QElapsedTimer clock;
  clock.start();
  for (; m_filterAt < int(rows.size()) && clock.elapsed() < kSliceMs; ++m_filterAt) {
    const RolloutFacts& facts = rows[std::size_t(m_filterAt)];
    if (m_step != kAllSteps && facts.step != m_step) continue;
    ++m_nextConsidered;
    if (!m_query.matches(facts, [&] { return QString::fromStdString(rolloutText(m_store.fileOf(facts).toStdString(), facts)); })) continue;
    if (std::isfinite(facts.meanGap)) m_nextGaps.push_back(facts.meanGap);
    if (std::isfinite(m_threshold) && !(facts.meanGap >= float(m_threshold))) continue;
    m_next.push_back(m_filterAt);
  }
  const bool done = m_filterAt >= int(rows.size());
  if (!done) m_timer.start(0);
  if ((done && !m_store.loading()) || m_sincePublished.elapsed() > kPublishEveryMs) publish();
  else if (done) m_timer.start(kPublishEveryMs);
}

void RolloutTable::publish() {
  Q_EMIT aboutToRebuild();
  beginResetModel();
  m_visible = m_next;
  m_gaps = m_nextGaps;
  m_considered = m_nextConsidered;
  const auto& rows = m_store.rows();
  const auto less = [&](int a, int b) -> bool {
    const RolloutFacts &x = rows[std::size_t(a)], &y = rows[std::size_t(b)];
    const bool up = m_sortOrder == Qt::AscendingOrder;
    const auto numbers = [&](double p, double q) {  // what was not saved is last in both orders
      if (std::isnan(p) || std::isnan(q)) return !std::isnan(p) && std::isnan(q);
      return up ? p < q : q < p;
    };
    const auto words = [&](const std::string& p, const std::string& q) { return up ? p < q : q < p; };
    switch (m_sortColumn) {
      case Sample: return words(x.sampleId, y.sampleId);
      case Prompt: return words(x.prompt, y.prompt);
      case Step: return numbers(x.step, y.step);
      case Tokens: return numbers(x.tokens < 0 ? std::nan("") : x.tokens, y.tokens < 0 ? std::nan("") : y.tokens);
      case Reward: return numbers(double(x.score), double(y.score));
      case MaxGap: return numbers(double(x.maxGap), double(y.maxGap));
      default: return numbers(double(x.meanGap), double(y.meanGap));
    }
  };
  std::stable_sort(m_visible.begin(), m_visible.end(), less);
  endResetModel();
  m_sincePublished.restart();
  Q_EMIT rebuilt();
}

void RolloutTable::sort(int column, Qt::SortOrder order) {
  m_sortColumn = column == Spark ? int(MeanGap) : column;
  m_sortOrder = order;
  publish();
}

const RolloutFacts* RolloutTable::facts(int row) const {
  return row >= 0 && row < int(m_visible.size()) && m_visible[std::size_t(row)] < int(m_store.rows().size()) ? &m_store.rows()[std::size_t(m_visible[std::size_t(row)])] : nullptr;
}

int RolloutTable::rowOf(const QString& sampleId) const {
  const std::string id = sampleId.toStdString();
  for (int i = 0; i < int(m_visible.size()); ++i)
    if (facts(i)->sampleId == id) return i;
  return -1;
}
int RolloutTable::rowOf(const RolloutFacts& wanted) const {
  for (int i = 0; i < int(m_visible.size()); ++i)
    if (const RolloutFacts* at = facts(i); at->file == wanted.file && at->offset == wanted.offset) return i;
  return -1;
}

void RolloutTable::pictureArrived(const QString& sampleId) {
  const std::string id = sampleId.toStdString();
  for (int i = 0; i < int(m_visible.size()); ++i)
    if (facts(i)->sampleId == id) Q_EMIT dataChanged(index(i, Sample), index(i, Sample), {Qt::DecorationRole});
}

QString RolloutTable::columnTitle(int column) {
  const char* const names[] = {"Sample", "Prompt", "Step", "Tokens", "Reward", "Mean |gap|", "Max", "Gap by token"};
  return tr(names[column]);
}

QString RolloutTable::cell(const RolloutFacts& facts, int column) const {
  switch (column) {
    case Sample: return facts.sampleId.empty() ? tr("row %1").arg(facts.index) : QString::fromStdString(facts.sampleId);
    case Prompt: return QString::fromStdString(facts.prompt);
    case Step: return QString::number(facts.step);
    case Tokens: return facts.tokens < 0 ? tr("not saved") : QString::number(facts.tokens);
    case Reward: return std::isfinite(facts.score) ? number(double(facts.score), 2) : tr("none");
    case MeanGap: return std::isfinite(facts.meanGap) ? number(double(facts.meanGap), 2) : tr("not saved");
    case MaxGap: return std::isfinite(facts.maxGap) ? number(double(facts.maxGap), 1) : QString();
    default: return {};
  }
}

QVariant RolloutTable::data(const QModelIndex& index, int role) const {
  const RolloutFacts* at = index.isValid() ? facts(index.row()) : nullptr;
  if (!at) return {};
  const int column = index.column();
  switch (role) {
    case Qt::DisplayRole: return cell(*at, column);
    case Qt::ToolTipRole:
      if (column == Prompt) return QString::fromStdString(at->prompt);
      if (column == Spark) return tr("log p(teacher + cue) − log p(student), from the first to the last token");
      return column == Sample ? tr("%1, answered «%2»").arg(cell(*at, Sample), QString::fromStdString(at->answer)) : cell(*at, column);
    case Qt::FontRole: return column == Prompt ? uiFont(12) : monoFont(11);
    case Qt::TextAlignmentRole: return int((column >= Step && column <= MaxGap ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case Qt::DecorationRole:
      if (column == Sample && m_thumbnail) {
        const QImage image = m_thumbnail(*at);
        if (!image.isNull()) return image;
      }
      return {};
    case kSparkRole:
      if (column == Spark) {
        QVariantList values;
        for (const float v : at->spark) values << v;
        return values;
      }
      return {};
    case Qt::AccessibleTextRole:
      return column == Spark ? tr("largest gap %1 nats").arg(number(double(at->maxGap), 2)) : cell(*at, column);
    default: return {};
  }
}

QVariant RolloutTable::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::DisplayRole) return columnTitle(section);
  if (role == Qt::TextAlignmentRole) return int((section >= Step && section <= MaxGap ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  if (role == Qt::ToolTipRole) {
    if (section == MeanGap) return tr("Mean of |log p(teacher + cue) − log p(student)| over the response, nats");
    if (section == MaxGap) return tr("The largest |gap| of a token, nats");
    if (section == Reward) return tr("Score of the response, as the reward function gave it");
  }
  return {};
}

QByteArray RolloutTable::csv() const {
  const auto quoted = [](const std::string& text) {
    QByteArray out = QByteArray::fromStdString(text);
    if (out.contains('"') || out.contains(',') || out.contains('\n')) out = '"' + out.replace("\"", "\"\"") + '"';
    return out;
  };
  const auto value = [](float v) { return std::isfinite(v) ? QByteArray::number(double(v), 'g', 7) : QByteArray(); };
  QByteArray out = "step,index,sample,kind,tokens,reward,mean_abs_gap_nats,max_abs_gap_nats,ended_by,answer,prompt\n";
  for (int i = 0; i < int(m_visible.size()); ++i) {
    const RolloutFacts& f = *facts(i);
    out += QByteArray::number(f.step) + ',' + QByteArray::number(f.index) + ',' + quoted(f.sampleId) + ',' + quoted(f.kind) + ',' +
           (f.tokens < 0 ? QByteArray() : QByteArray::number(f.tokens)) + ',' + value(f.score) + ',' + value(f.meanGap) + ',' + value(f.maxGap) + ',' +
           (f.stopped < 0 ? "" : f.stopped ? "stop" : "length") + ',' + quoted(f.answer) + ',' + quoted(f.prompt) + '\n';
  }
  return out;
}

}  // namespace cuescope
