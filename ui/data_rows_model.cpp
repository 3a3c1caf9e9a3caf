#include "ui/data_page.h"
#include "ui/models/sample_rows.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr int kPage = 100;
constexpr qsizetype kThumbsKept = 1000;
constexpr std::size_t kFetchedKept = 8;  // pictures that were asked for again and stay whatever they take: the shown row is among them
}  // namespace

void DataRowsModel::clear(const QString& file) {
  beginResetModel();
  m_file = file;
  m_rows.clear();
  m_worst.clear();
  m_thumbs.clear();
  m_fetched.clear();
  m_bytes = 0;
  m_total = -1;
  m_waiting = false;
  endResetModel();
}

void DataRowsModel::add(const DataRows& rows) {
  if (QString::fromStdString(rows.file) != m_file || rows.first != qint64(m_rows.size())) return;
  m_total = rows.total;
  m_waiting = false;
  if (rows.rows.empty()) return;
  beginInsertRows({}, int(m_rows.size()), int(m_rows.size() + rows.rows.size()) - 1);
  for (const DataRow& row : rows.rows) {
    m_rows.push_back(row);
    if (m_bytes > m_pictureLimit) m_rows.back().image = {}, m_rows.back().moreImages = {};  // asked for again when the row is looked at
    else m_bytes += cuescope::pictureBytes(row);
  }
  endInsertRows();
}

void DataRowsModel::replace(const DataRow& row) {
  if (row.index < 0 || row.index >= qint64(m_rows.size())) return;
  DataRow& at = m_rows[std::size_t(row.index)];
  m_bytes += cuescope::pictureBytes(row) - cuescope::pictureBytes(at);
  at = row;
  std::erase(m_fetched, int(row.index));
  m_fetched.push_back(int(row.index));
  // Those that were looked at longest ago let go of their picture again.
  while (m_bytes > m_pictureLimit && m_fetched.size() > kFetchedKept) {
    DataRow& old = m_rows[std::size_t(m_fetched.front())];
    m_fetched.pop_front();
    m_bytes -= cuescope::pictureBytes(old);
    old.image = {};
    old.moreImages = {};
  }
  touch(int(row.index));
}

CueEdit DataRowsModel::cueAt(int index) const {
  const DataRow* at = row(index);
  if (!at) return {};
  if (m_edits)
    if (const auto edit = m_edits->find(at->index); edit != m_edits->end()) return edit->second;
  return cueOf(*at);
}

void DataRowsModel::touch(int at) {
  m_worst.erase(at);
  Q_EMIT dataChanged(index(at, 0), index(at, Columns - 1));
}

QImage DataRowsModel::thumbnailAt(int index) const {
  const auto known = m_thumbs.constFind(index);
  if (known != m_thumbs.constEnd()) return *known;
  const DataRow* at = row(index);
  if (!at || at->image.empty()) return {};
  if (m_thumbs.size() >= kThumbsKept) m_thumbs.clear();
  return m_thumbs[index] = thumbnailOf(*at);
}

const Finding* DataRowsModel::worstAt(int index) const {
  const DataRow* at = row(index);
  if (!at) return nullptr;
  auto known = m_worst.find(index);
  if (known == m_worst.end()) {
    const auto findings = lintRow(*at, cueAt(index), 0, 0);
    const Finding* bad = worst(findings);
    known = m_worst.emplace(index, bad ? std::optional(*bad) : std::nullopt).first;
  }
  return known->second ? &*known->second : nullptr;
}

const DataRow* DataRowsModel::row(int index) const {
  return index >= 0 && index < int(m_rows.size()) ? &m_rows[std::size_t(index)] : nullptr;
}

QVariant DataRowsModel::data(const QModelIndex& index, int role) const {
  const DataRow* at = index.isValid() ? row(index.row()) : nullptr;
  if (!at) return {};
  if (role == Qt::DecorationRole && index.column() == Cue) {
    const Finding* bad = worstAt(index.row());
    return !bad ? icon(Icon::Check) : bad->verdict == Verdict::Wrong ? icon(Icon::Cross, colors().danger) : bad->check == Check::Cue ? icon(Icon::Add) : icon(Icon::Caution, colors().caution);
  }
  if (role == Qt::DecorationRole && index.column() == Id) return thumbnailAt(index.row());
  if (role == Qt::FontRole) return index.column() == Question || index.column() == Cue ? uiFont(12) : monoFont(11);
  if (role == Qt::TextAlignmentRole) return index.column() == Index ? int(Qt::AlignRight | Qt::AlignVCenter) : int(Qt::AlignLeft | Qt::AlignVCenter);
  if (role == Qt::ToolTipRole && !at->problem.empty()) return QString::fromStdString(at->problem);
  if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
  switch (index.column()) {
    case Index: return QString::number(at->index);
    case Id: return QString::fromStdString(at->id);
    case Kind: return QString::fromStdString(at->kind);
    case Question: return QString::fromStdString(at->problem.empty() ? at->question : at->problem).simplified();
    case Answer: return role == Qt::ToolTipRole ? QString::fromStdString(at->answer) : bareAnswer(at->answer);
    case Cue: {
      const CueEdit cue = cueAt(index.row());
      const Finding* bad = worstAt(index.row());
      const QString words = (bad ? bad->words : (cue.marks.size() == 1 ? tr("cue, 1 mark") : tr("cue, %1 marks").arg(cue.marks.size()))) + (cue.changed() ? tr(", edited") : QString());
      if (role == Qt::ToolTipRole) return words + QLatin1Char('\n') + (cue.cue.empty() ? tr("The teacher reads what the student reads") : QString::fromStdString(cue.cue));
      return words;
    }
  }
  return {};
}

QVariant DataRowsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || (role != Qt::DisplayRole && role != Qt::ToolTipRole)) return {};
  const char* const names[] = {"Row", "Id", "Kind", "Question", "Answer", "Cue"};
  return section < Columns ? QVariant(tr(names[section])) : QVariant();
}

bool DataRowsModel::canFetchMore(const QModelIndex& parent) const {
  return !parent.isValid() && !m_waiting && m_total > qint64(m_rows.size());
}

void DataRowsModel::fetchMore(const QModelIndex& parent) {
  if (!canFetchMore(parent)) return;
  m_waiting = true;
  Q_EMIT rowsWanted(qint64(m_rows.size()), kPage);
}

}  // namespace cuescope
