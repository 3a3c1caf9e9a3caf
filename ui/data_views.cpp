// The views of the Data page as values: what is exported and copied.
#include <QFileInfo>
#include <QJsonArray>
#include <QPlainTextEdit>
#include <QTableView>

#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"

namespace cuescope {
namespace {

QString verdictWord(Verdict verdict) { return QString::fromLatin1(verdictName(verdict)); }

}  // namespace

QStringList DataPage::viewNames() const { return {QStringLiteral("rows"), QStringLiteral("row"), QStringLiteral("prompts"), QStringLiteral("checks"), QStringLiteral("lint")}; }

PageView DataPage::view(const QString& name) const {
  const DataRow* row = m_model->row(currentRow());
  if (m_model->rowCount() == 0 || (!row && name != u"lint" && name != u"rows")) nothingToExport(tr("Data"), tr("no row is chosen"), tr("Open a data file first."));
  const QString file = QFileInfo(m_model->file()).fileName();
  PageView view;
  view.page = QStringLiteral("Data");
  view.name = name;
  view.dark = Theme::instance().isDark();
  view.facts << tr("%1, %2 rows").arg(file).arg(m_model->total());
  const QString id = row ? QString::fromStdString(row->id) : QString();
  ViewTable table;
  if (name == u"lint") {
    if (m_found.empty()) nothingToExport(tr("Lint of the whole set"), tr("it was not run, or it found nothing"), tr("Run lint first."));
    view.title = tr("Lint of %1: %2 complaints").arg(file).arg(m_found.size());
    table.columns = {"row", "id", "check", "verdict", "detail"};
    for (const Complaint& c : m_found) table.rows.push_back({QString::number(c.row), c.id, checkTitle(c.finding.check), verdictWord(c.finding.verdict), c.finding.words + QStringLiteral(": ") + c.finding.detail});
  } else if (name == u"checks") {
    view.title = tr("Lint of row %1, %2").arg(row->index).arg(id);
    table.columns = {"check", "verdict", "words", "detail"};
    for (const Finding& f : m_side->lint()->findings()) table.rows.push_back({checkTitle(f.check), verdictWord(f.verdict), f.words, f.detail});
  } else if (name == u"rows") {
    const QAbstractItemModel* shown = m_table->model();
    view.title = tr("Rows of %1").arg(file);
    if (m_model->rowCount() < m_model->total()) view.facts << tr("the first %1 rows were read so far").arg(m_model->rowCount());
    table.columns = {"row", "id", "kind", "question", "answer", "cue"};
    for (int r = 0; r < shown->rowCount(); ++r) {
      const DataRow* each = m_model->row(sourceRow(r));
      if (each) table.rows.push_back({QString::number(each->index), QString::fromStdString(each->id), QString::fromStdString(each->kind), QString::fromStdString(each->question), QString::fromStdString(each->answer), QString::fromStdString(m_model->cueAt(sourceRow(r)).cue)});
    }
    if (table.rows.empty()) nothingToExport(tr("Rows"), tr("no row passes the search"), tr("Change the search."));
  } else if (name == u"prompts") {
    view.title = tr("Prompts of row %1, %2").arg(row->index).arg(id);
    view.kind = QStringLiteral("texts");
    view.data = textsData({{m_side->studentHead(), m_side->studentText()->toPlainText()}, {m_side->teacherHead(), m_side->teacherText()->toPlainText()}});
    return view;
  } else {
    const CueEdit cue = currentCue();
    view.title = tr("Row %1, %2").arg(row->index).arg(id);
    const bool several = row->pictures > 1;
    if (several) view.facts << tr("picture %1 of %2; the numbers hold the marks of all").arg(m_canvas->image() + 1).arg(row->pictures);
    view.facts << tr("marks in pixels of the stored picture, %1 × %2").arg(m_canvas->picture().width()).arg(m_canvas->picture().height());
    if (cue.changed()) view.facts << tr("the cue was edited, %1 changes").arg(cue.changes);
    view.kind = QStringLiteral("marks");
    table.columns = {"mark", "kind", "label", "x", "y", "width", "height", "from"};
    if (several) table.columns << "picture";
    QJsonArray marks;
    for (std::size_t i = 0; i < cue.marks.size(); ++i) {
      const CueMark& m = cue.marks[i];
      const auto px = [](float v) { return QString::number(double(v), 'g', 7); };
      table.rows.push_back({QString::number(i + 1), QString::fromStdString(m.kind), QString::fromStdString(m.label), px(m.x), px(m.y), px(m.width), px(m.height), QString::fromStdString(m.from)});
      if (several) table.rows.back() << QString::number(m.image + 1);
      if (m.image == m_canvas->image()) marks.append(QJsonObject{{"kind", QString::fromStdString(m.kind)}, {"label", QString::fromStdString(m.label)}, {"x", double(m.x)}, {"y", double(m.y)}, {"width", double(m.width)}, {"height", double(m.height)}, {"from", QString::fromStdString(m.from)}});
    }
    view.data = tableData(table);
    view.data.insert("picture", pictureText(m_canvas->picture()));
    view.data.insert("marks", marks);
    view.data.insert("texts", textsData({{tr("Row"), tr("Question: %1\n\nAnswer: %2\n\nCue: %3").arg(QString::fromStdString(row->question), QString::fromStdString(row->answer), cue.cue.empty() ? tr("none") : QString::fromStdString(cue.cue))}})["texts"]);
    return view;
  }
  view.kind = QStringLiteral("table");
  view.data = tableData(table);
  return view;
}

}  // namespace cuescope
