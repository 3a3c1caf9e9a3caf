// The timeline on Inspect: the shown response, read by the checkpoints of the run that the look belongs to. A look is kept by its
// step, so that going back over the timeline costs nothing.
#include <algorithm>

#include "ui/inspect_page.h"
#include "ui/inspection_view.h"
#include "ui/panels/alignment_panel.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/lens_panel.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/steps_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "widgets/change_bars.h"

namespace cuescope {
namespace {

constexpr const char* kStepTag = "step";    // the one that the timeline asks for: the newest wins
constexpr const char* kStepsTag = "steps";  // all of a run
const QString kStepTask = QStringLiteral("look.step"), kStepsTask = QStringLiteral("look.steps");

}  // namespace

// The run whose student answered: the loaded one, or the one that wrote the checkpoint's folder. `step` is filled in for a checkpoint.
QString InspectPage::runOfLook(const InspectRequest& request, int* step) {
  if (request.student == kRunStudent) return m_session.ownRun() ? QString::fromStdString(m_session.ownRun()->status.run) : QString();
  if (request.student.empty()) return {};
  for (const QString& name : m_session.runs()) {
    const std::string& directory = m_session.run(name)->status.directory;
    if (directory.empty() || !request.student.starts_with(directory + "/")) continue;
    m_session.openRun(name);  // it may only be listed so far
    for (const CheckpointInfo& checkpoint : m_session.run(name)->checkpoints)
      if (checkpoint.folder == request.student) {
        *step = checkpoint.step;
        return name;
      }
  }
  return {};
}

// A look that was asked for has arrived: from here on the timeline moves it.
InspectionPtr InspectPage::beginSteps(const InspectionPtr& inspection) {
  m_steps->clear();
  m_stepStudents.clear();
  int step = inspection->step;
  m_lookRun = runOfLook(m_shownRequest, &step);
  ClampLimits limits;
  if (const RunRecord* run = m_session.run(m_lookRun); run && !run->yaml.isEmpty()) {
    std::vector<ConfigIssue> issues;
    const auto distillation = parseConfig(run->yaml.toStdString(), run->status.directory, &issues).distillation;
    limits = {QString::fromStdString(distillation.lossMode), distillation.lossMaxClamp, distillation.logProbMinClamp};
  }
  m_tokens->setClampLimits(limits);
  if (m_lookRun.isEmpty() || step < 0) {
    m_lookRun.clear();
    return inspection;
  }
  InspectionPtr look = inspection;
  if (step != inspection->step) {
    auto named = std::make_shared<Inspection>(*inspection);
    named->step = step;
    look = named;
  }
  keepLook(step, look, m_shownRequest.student);
  return look;
}

void InspectPage::keepLook(int step, const InspectionPtr& look, const std::string& student) {
  m_stepStudents[step] = student;
  m_steps->add(step, look);
}

void InspectPage::cancelSteps() {
  for (const char* tag : {kStepTag, kStepsTag}) m_session.cancelJobs(tag);
  for (const QString& task : {kStepTask, kStepsTask}) m_session.endTask(task);
  m_stepsLeft = 0;
  m_wantedStep = -1;
}

void InspectPage::updateSteps() {
  const RunRecord* run = m_session.run(m_selection.run());
  int checkpoints = 0;
  if (run)
    for (const CheckpointInfo& each : run->checkpoints) checkpoints += each.complete;
  m_steps->setPossible(m_selection.run(), checkpoints, m_stepsLeft, captureRefusal());
}

// What can be shown for a step is the newest look or checkpoint at or before it; -1: nothing. `folder` is filled in when it has not
// been looked at yet.
int InspectPage::keptStep(int step, std::string* folder) const {
  int best = -1;
  for (const auto& [kept, look] : m_steps->looks())
    if (kept <= step) best = std::max(best, kept);
  if (const RunRecord* run = m_session.run(m_lookRun))
    for (const CheckpointInfo& checkpoint : run->checkpoints)
      if (checkpoint.complete && checkpoint.step <= step && checkpoint.step > best) best = checkpoint.step, *folder = checkpoint.folder;
  return best;
}

void InspectPage::followStep() {
  m_steps->setCursorStep(m_selection.step());
  const bool follows = m_inspection && !m_lookRun.isEmpty() && m_lookRun == m_selection.run();
  m_map->setTimelineStep(follows ? m_selection.step() : -1);
  if (!follows || m_selection.step() < 0) return;
  m_followLater = !isVisible() || m_session.inspecting();  // asked for when the page is shown, and when the answer is whole
  if (m_followLater || !captureRefusal().isEmpty()) return;
  std::string folder;
  const int best = m_wantedStep = keptStep(m_selection.step(), &folder);
  if (best < 0 || best == m_inspection->step) return;
  if (folder.empty()) return showLook(best);
  askStep(best, folder, kStepTag, true);
}

void InspectPage::askStep(int step, const std::string& folder, const char* tag, bool latest) {
  InspectRequest request = sameResponse(true);
  request.student = folder;
  const bool all = std::string(tag) == kStepsTag;
  if (!all) m_session.setTask(kStepTask, tr("Looking at step %1").arg(step), [this] { cancelSteps(), updateSteps(); });
  m_session.submit(
      tag,
      [self = QPointer<QObject>(this), this, request, step, all, generation = m_generation, progress = all ? EventSink([](const Event&) {}) : m_session.taskSink(kStepTask)](Engine& engine, const EventSink&, std::stop_token stop) {
        try {
          auto look = std::make_shared<Inspection>(*engine.inspect(request, progress, stop));
          look->step = step;
          Session::reply(self, [this, look, request, step, all, generation] {
            if (generation != m_generation) return;
            keepLook(step, look, request.student);
            stepDone(all);
            if (m_wantedStep == step) showLook(step);
            Q_EMIT viewChanged();
          });
        } catch (const Cancelled&) {
        } catch (...) {
          Session::reply(self, [this, failure = currentFailure("looking at a checkpoint"), all, generation] {
            if (generation != m_generation) return;
            stepDone(all);
            showFailure(failure);
          });
        }
      },
      latest);
}

void InspectPage::stepDone(bool ofAll) {
  if (!ofAll) return m_session.endTask(kStepTask);
  m_stepsLeft = std::max(0, m_stepsLeft - 1);
  m_stepsLeft > 0 ? m_session.updateTask(kStepsTask, m_stepsInAll - m_stepsLeft, m_stepsInAll) : m_session.endTask(kStepsTask);
  updateSteps();
}

// The same response as another step's student reads it: every panel shows that student, and what is computed next asks it.
void InspectPage::showLook(int step) {
  const auto found = m_steps->looks().find(step);
  if (found == m_steps->looks().end() || found->second == m_inspection) return;
  m_session.cancelJobs(kSiteTag);
  ++m_captureRun;
  endCapture();
  m_captureKey.clear();
  m_shownRequest.student = m_stepStudents.at(step);
  m_inspection = found->second;
  m_selection.correct(fitted(*m_inspection, m_selection.state()));
  m_map->extendInspection(m_inspection);
  fillPanels();
}

void InspectPage::lookOverSteps() {
  const RunRecord* run = m_session.run(m_selection.run());
  if (!run || !captureRefusal().isEmpty()) return;
  cancelSteps();
  if (m_lookRun != m_selection.run()) m_steps->clear(), m_stepStudents.clear();  // those were another run's
  for (const CheckpointInfo& checkpoint : run->checkpoints) {
    if (!checkpoint.complete || m_steps->looks().contains(checkpoint.step)) continue;
    ++m_stepsLeft;
    askStep(checkpoint.step, checkpoint.folder, kStepsTag, false);
  }
  m_stepsInAll = m_stepsLeft;
  if (m_stepsLeft > 0) m_session.setTask(kStepsTask, tr("Looking at %1 checkpoints").arg(m_stepsLeft), [this] { cancelSteps(), updateSteps(); });
  m_session.updateTask(kStepsTask, 0, m_stepsInAll);
  updateSteps();
}

}  // namespace cuescope
