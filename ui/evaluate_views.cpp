// The views of the Evaluate page as values: what is exported and copied.
#include <QComboBox>
#include <QJsonArray>
#include <QPlainTextEdit>
#include <QTableWidget>
#include <algorithm>
#include <cmath>

#include "ui/evaluate_board.h"
#include "ui/evaluate_page.h"
#include "ui/models/sample_rows.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"

namespace cuescope {
namespace {

QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 9) : QString(); }
QJsonValue finite(double value) { return std::isfinite(value) ? QJsonValue(value) : QJsonValue(); }

QJsonObject boardData(const Board& board) {
  QJsonArray settings, sets, cells, runs;
  for (const std::string& s : board.settings) settings.append(QString::fromStdString(s));
  for (const std::string& s : board.dataSets) sets.append(QString::fromStdString(s));
  for (const auto& row : board.cells) {
    QJsonArray line;
    for (const BoardCell& cell : row) {
      QJsonArray seeds;
      for (const std::uint64_t seed : cell.seeds) seeds.append(qint64(seed));
      line.append(QJsonObject{{"seeds", seeds}, {"values", packedDoubles(cell.values)}, {"mean", finite(cell.mean.value)}, {"low", finite(cell.mean.low)}, {"high", finite(cell.mean.high)}, {"n", qint64(cell.mean.n)}, {"interval_of", QString::fromStdString(cell.intervalOf)}});
    }
    cells.append(line);
  }
  for (const BoardRun& run : board.runs) {
    QJsonObject accuracy;
    for (const auto& [set, interval] : run.accuracy) accuracy.insert(QString::fromStdString(set), QJsonArray{finite(interval.value), finite(interval.low), finite(interval.high), qint64(interval.n)});
    runs.append(QJsonObject{{"name", QString::fromStdString(run.name)}, {"setting", QString::fromStdString(run.setting)}, {"models", QString::fromStdString(run.models)}, {"seed", qint64(run.seed)}, {"step", run.step}, {"total_steps", run.totalSteps}, {"completed", run.completed}, {"accuracy", accuracy}});
  }
  QJsonObject data = tableData(tableFromCsv(QByteArray::fromStdString(boardCsv(board))));
  data.insert("settings", settings), data.insert("data_sets", sets), data.insert("cells", cells), data.insert("runs", runs);
  return data;
}

}  // namespace

QStringList EvaluatePage::viewNames() const { return {QStringLiteral("board"), QStringLiteral("samples"), QStringLiteral("totals"), QStringLiteral("sample")}; }

PageView EvaluatePage::view(const QString& name) const {
  PageView view;
  view.page = QStringLiteral("Evaluate");
  view.name = name;
  view.dark = Theme::instance().isDark();
  const Evaluation* a = chosen(m_a);
  const Evaluation* b = chosen(m_b);
  if (name == u"board") {
    const Board& board = m_board->board();
    if (board.settings.empty()) nothingToExport(tr("Board"), tr("no finished run has held-out scores yet"), tr("Evaluate a checkpoint, or let a run evaluate."));
    view.title = tr("Held-out accuracy by setting and data set");
    view.facts << tr("percent; whisker: 95 % interval; dots: seeds; dotted: base");
    for (const std::string& note : board.notes) view.facts << QString::fromStdString(note);
    view.kind = QStringLiteral("board");
    view.data = boardData(board);
    return view;
  }
  if (!a) nothingToExport(tr("Evaluations"), tr("no evaluation was made or opened yet"), tr("Choose a model and data, and Evaluate."));
  view.facts << tr("A: %1").arg(m_a->currentText());
  if (b) view.facts << tr("B: %1").arg(m_b->currentText());
  view.facts << (a->decoding.empty() ? tr("decoding not recorded") : QString::fromStdString(a->decoding)) << m_verdict->text();
  if (name == u"sample") {
    const int at = m_table->currentRow();
    if (at < 0 || at >= int(m_shown.size())) nothingToExport(tr("Sample"), tr("no sample is chosen"), tr("Choose one in the table."));
    const SamplePair& pair = m_pairs.rows[std::size_t(m_shown[std::size_t(at)])];
    const QString id = QString::fromStdString(pair.a->id);
    const auto answer = [](const EvaluatedSample& s) { return answersText(s); };
    const auto judged = [](const EvaluatedSample& s) { return verdictOf(s); };
    view.title = tr("Sample %1, side by side").arg(id);
    view.kind = QStringLiteral("sample");
    ViewTable table{{"of", "verdict", "text"}, {{"question", {}, QString::fromStdString(pair.a->question)}, {"reference", {}, QString::fromStdString(pair.a->groundTruth)}, {"A", judged(*pair.a), answer(*pair.a)}}, {}};
    QList<QStringList> texts{{tr("Question"), tr("%1\n\nReference: %2").arg(QString::fromStdString(pair.a->question), QString::fromStdString(pair.a->groundTruth))}, {tr("A, %1").arg(judged(*pair.a)), answer(*pair.a)}};
    if (pair.b) table.rows.push_back({"B", judged(*pair.b), answer(*pair.b)}), texts << QStringList{tr("B, %1").arg(judged(*pair.b)), answer(*pair.b)};
    view.data = tableData(table);
    view.data.insert("texts", textsData(texts)["texts"]);
    if (const DataRow* row = m_samples->row(id)) {
      const QImage picture = QImage::fromData(row->image.data(), int(row->image.size()));
      view.data.insert("picture", pictureText(picture));
    }
    return view;
  }
  ViewTable table;
  if (name == u"totals") {
    view.title = tr("Totals, %1").arg(b ? tr("A and B") : m_a->currentText());
    table.columns = {"group", "name", "rows", "a_accuracy", "a_low95", "a_high95"};
    if (b) table.columns << "b_accuracy" << "b_low95" << "b_high95";
    const bool passA = a->answersPerRow > 1, passB = b && b->answersPerRow > 1;
    const auto passColumns = [](const QString& who, int k) { return QStringList{QStringLiteral("%1_pass_at_%2").arg(who).arg(k), who + QStringLiteral("_pass_low95"), who + QStringLiteral("_pass_high95")}; };
    if (passA) table.columns << passColumns(QStringLiteral("a"), a->passK);
    if (passB) table.columns << passColumns(QStringLiteral("b"), b->passK);
    const auto pass = [](const EvaluationScore& s) { return QStringList{exact(s.passAtK.value), exact(s.passAtK.low), exact(s.passAtK.high)}; };
    for (const EvaluationScore& score : a->scores) {
      QStringList row{QString::fromStdString(score.group), QString::fromStdString(score.name), QString::number(qint64(score.accuracy.n)), exact(score.accuracy.value), exact(score.accuracy.low), exact(score.accuracy.high)};
      const EvaluationScore* other = nullptr;
      if (b) {
        const auto found = std::find_if(b->scores.begin(), b->scores.end(), [&](const auto& s) { return s.group == score.group && s.name == score.name; });
        other = found == b->scores.end() ? nullptr : &*found;
        row << (other ? QStringList{exact(other->accuracy.value), exact(other->accuracy.low), exact(other->accuracy.high)} : QStringList{{}, {}, {}});
      }
      if (passA) row << pass(score);
      if (passB) row << (other ? pass(*other) : QStringList{{}, {}, {}});
      table.rows.push_back(row);
    }
  } else {
    view.title = tr("Samples, %1 of %2 shown").arg(m_shown.size()).arg(m_pairs.rows.size());
    EvaluationPairs shown;
    for (const int at : m_shown) shown.rows.push_back(m_pairs.rows[std::size_t(at)]);
    table = tableFromCsv(pairsCsv(shown, b != nullptr));
    table.drawn = b ? std::vector<int>{2, 4, 5, 6, 7, 8, 9} : std::vector<int>{2, 4, 5, 6, 7};
    if (table.rows.empty()) nothingToExport(tr("Samples"), tr("no sample is of this kind"), tr("Choose another kind."));
  }
  view.kind = QStringLiteral("table");
  view.data = tableData(table);
  return view;
}

void EvaluatePage::showFailure(const Failure& failure) {
  m_error->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
  m_error->show();
}

}  // namespace cuescope
