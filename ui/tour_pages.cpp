// The tour's walk through Rollouts, Data and Evaluate, on the run that it has just trained and on the demo's data.
#include <QComboBox>
#include <QFile>
#include <QCoreApplication>
#include <QListWidget>
#include <QMouseEvent>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTableView>
#include <QTableWidget>
#include <QUndoStack>
#include <cmath>

#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/evaluate_board.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/models/rollout_store.h"
#include "ui/rollouts_detail.h"
#include "ui/rollouts_page.h"
#include "ui/tour.h"
#include "widgets/image_canvas.h"

namespace cuescope {

void Tour::planPages() {
  const auto rollouts = [this] { return m_window.rolloutsPage(); };
  m_steps.push_back({QStringLiteral("rollouts"), tr("rollouts: the responses of the trained run with picture, decoded tokens and gaps"), 30000,
                     [this] {
                       if (const RunRecord* own = m_session.ownRun()) m_window.selection().setRun(QString::fromStdString(own->status.run));
                       m_window.setPage(MainWindow::Rollouts);
                     },
                     [=] { return rollouts()->model()->rowCount() > 0 && rollouts()->detail()->inspectButton()->isEnabled() && rollouts()->detail()->sameTable()->rowCount() > 0; },
                     [=] {
                       return firstWrong({must(rollouts()->model()->rowCount() > 0, "no rows are listed"), must(rollouts()->detail()->strip()->responseSize() > 2, "the response has no tokens"),
                                          must(std::isfinite(rollouts()->model()->facts(0)->meanGap), "the gap was not saved"), must(rollouts()->detail()->inspectButton()->isEnabled(), "the sample cannot be inspected"),
                                          must(!rollouts()->detail()->picture()->scene().picture.isNull(), "the picture is not beside it")});
                     }});
  m_steps.push_back({QStringLiteral("rollouts-inspect"), tr("a rollout in Inspect: the same ids, read by the run's own weights"), 60000,
                     [=, this] {
                       m_seen.reset();
                       rollouts()->detail()->inspectButton()->click();
                     },
                     [this] { return m_seen != nullptr || m_failureSeen; },
                     [=, this] {
                       if (!m_seen) return QStringLiteral("no inspection arrived");
                       const auto& ids = rollouts()->detail()->detail().record.ids;
                       bool same = ids.size() == m_seen->response.size();
                       for (std::size_t t = 0; same && t < ids.size(); ++t) same = ids[t] == m_seen->response[t].id;
                       return must(same, "the response's ids differ");
                     }});
  const auto data = [this] { return m_window.dataPage(); };
  m_steps.push_back({QStringLiteral("data-edit"), tr("data: a box is drawn with the mouse, the cue is typed, both prompts are rendered, undo takes them back"), 30000,
                     [=, this] {
                       m_window.setPage(MainWindow::Data);
                       data()->openFile(m_window.workspace().demoData(QStringLiteral("test")));
                     },
                     [=] { return data()->model()->rowCount() > 0 && !data()->canvas()->picture().isNull() && data()->side()->teacherText()->toPlainText().contains(QStringLiteral("<|im_start|>")); },
                     [=] {
                       const CueEdit before = data()->currentCue();
                       CueCanvas* canvas = data()->canvas();
                       canvas->setTool(CueCanvas::Tool::Point);
                       const QPointF at = canvas->toWidget({4, 4});
                       for (const auto type : {QEvent::MouseButtonPress, QEvent::MouseButtonRelease}) {
                         QMouseEvent event(type, at, canvas->mapToGlobal(at), Qt::LeftButton, type == QEvent::MouseButtonPress ? Qt::LeftButton : Qt::NoButton, Qt::NoModifier);
                         QCoreApplication::sendEvent(canvas, &event);
                       }
                       canvas->setTool(CueCanvas::Tool::Box);
                       const bool drawn = data()->currentCue().marks.size() == before.marks.size() + 1;
                       data()->findChild<QUndoStack*>()->undo();
                       return firstWrong({must(data()->side()->teacherText()->toPlainText().contains(QString::fromStdString(before.cue)), "the teacher's prompt lacks the cue"),
                                          must(!data()->side()->studentText()->toPlainText().contains(QStringLiteral("[Hint]")), "the student reads the cue"),
                                          must(drawn, "no point was drawn"), must(data()->currentCue().marks == before.marks, "undo did not bring the marks back")});
                     }});
  m_steps.push_back({QStringLiteral("data-lint"), tr("lint of the whole set has looked at every row"), 120000, [=] { data()->lintButton()->click(); },
                     [=] { return data()->lintButton()->text() == tr("Run lint"); },
                     [=] { return must(data()->lintButton()->text() == tr("Run lint"), "lint has not ended"); }});
  const auto evaluate = [this] { return m_window.evaluatePage(); };
  m_steps.push_back({QStringLiteral("evaluate"), tr("evaluate: the demo's weak model on held-out rows, with totals by kind"), 180000,
                     [=, this] {
                       m_window.setPage(MainWindow::Evaluate);
                       evaluate()->modelChooser()->setCurrentIndex(std::max(0, evaluate()->modelChooser()->findData(m_window.workspace().demoModel(QStringLiteral("weak")))));
                       evaluate()->rowsField()->setValue(48);
                       evaluate()->evaluateButton()->click();
                     },
                     [=] { return !evaluate()->busy(); },
                     [=] { return firstWrong({must(evaluate()->evaluations() == 1, "there is no evaluation"), must(evaluate()->table()->rowCount() > 40, "samples are missing")}); }});
  m_steps.push_back({QStringLiteral("evaluate-two"), tr("a second model beside it: gained and lost, with the exact test"), 180000,
                     [=, this] {
                       evaluate()->modelChooser()->setCurrentIndex(std::max(0, evaluate()->modelChooser()->findData(m_window.workspace().demoModel(QStringLiteral("strong")))));
                       evaluate()->evaluateButton()->click();
                     },
                     [=] { return !evaluate()->busy(); },
                     [=] { return firstWrong({must(evaluate()->evaluations() == 2, "there is no second evaluation"), must(evaluate()->verdict().startsWith(QStringLiteral("McNemar")), "the pair is not judged")}); }});
}

}  // namespace cuescope
