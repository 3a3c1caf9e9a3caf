// More looks at the same response: sites that were not captured, another student beside it.
#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QPlainTextEdit>
#include <QPushButton>
#include <algorithm>
#include <tuple>

#include "ui/export.h"
#include "ui/export_views.h"
#include "ui/inspect_page.h"
#include "ui/inspection_view.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/capture_settings.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/lens_panel.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/steps_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "ui/workspace.h"

namespace cuescope {
namespace {

constexpr const char* kBesideTag = "beside";
const QString kCaptureTask = QStringLiteral("look.capture"), kBesideTask = QStringLiteral("look.beside");
// A capture that takes less is made without being asked for twice.
constexpr std::int64_t kSmallBytes = 256ll << 20;
constexpr double kSmallPasses = 64;

// More queries of the same site behind those that are there; a stack of another shape replaces the old one.
void mergeStack(AttentionStack& into, const AttentionStack& more) {
  if (more.empty()) return;
  if (into.empty() || into.layers != more.layers || into.heads != more.heads || into.keys != more.keys || into.headsAveraged != more.headsAveraged) {
    into = more;
    return;
  }
  const std::size_t size = into.layers.size() * std::size_t(into.heads) * std::size_t(into.keys), shares = into.layers.size() * std::size_t(into.heads);
  for (std::size_t q = 0; q < more.queries.size(); ++q) {
    if (into.queryAt(more.queries[q]) >= 0) continue;
    into.queries.push_back(more.queries[q]);
    const auto append = [q](std::vector<float>& to, const std::vector<float>& from, std::size_t n) {
      if (from.size() >= (q + 1) * n) to.insert(to.end(), from.begin() + std::ptrdiff_t(q * n), from.begin() + std::ptrdiff_t((q + 1) * n));
    };
    append(into.values, more.values, size);
    append(into.textShare, more.textShare, shares);
    append(into.sinkShare, more.sinkShare, shares);
  }
}

InspectionPtr merged(const Inspection& shown, const Inspection& more, const std::set<Site>& sites) {
  auto whole = std::make_shared<Inspection>(shown);
  for (const Site site : sites) {
    mergeStack(whole->stack(site), more.stack(site));
    std::erase_if(whole->evidenceScores, [&](const EvidenceScore& score) {
      return score.site == site && std::any_of(more.evidenceScores.begin(), more.evidenceScores.end(),
                                               [&](const EvidenceScore& other) { return other.site == site && other.query == score.query && other.layer == score.layer && other.prompt == score.prompt; });
    });
    for (const EvidenceScore& score : more.evidenceScores)
      if (score.site == site) whole->evidenceScores.push_back(score);
  }
  if (sites.count(Site::SelfAttention)) mergeStack(whole->promptAttention, more.promptAttention);
  if (!more.logitLens.empty()) whole->logitLens = more.logitLens;
  if (sites.count(Site::Occlusion) && more.occlusionInfo.passes > 0) whole->occlusionInfo = more.occlusionInfo;
  return whole;
}

QString costText(const InspectCost& cost) {
  double passes = 0;
  std::int64_t bytes = 0, work = 0;
  QString note;
  for (const SiteCost& site : cost.sites) {
    passes += site.passes;
    bytes += site.bytes;
    work = std::max(work, site.workBytes);
    if (!site.note.empty()) note = QObject::tr(", ") + QString::fromStdString(site.note);
  }
  const QString passText = passes < 0.5 ? QObject::tr("1 pass") : QObject::tr("about %1 passes").arg(int(passes + 1.5));
  return QObject::tr("keeps %1, at most %2 while it runs, %3%4").arg(bytesText(double(bytes)), bytesText(double(std::max(cost.peakBytes, bytes + work))), passText, note);
}

}  // namespace

InspectRequest InspectPage::sameResponse(bool teacher) const {
  InspectRequest request = m_shownRequest;
  request.responseIds.clear();
  request.response.clear();
  for (const Token& token : m_inspection->response) request.responseIds.push_back(token.id);
  if (!teacher) request.teacher.clear();
  return request;
}

QString InspectPage::captureRefusal() const {
  if (!m_inspection) return tr("Ask a question first.");
  if (m_shownRequest.student.empty()) return tr("A capture reopens without its model: it shows what was captured.");
  if (m_session.inspecting()) return tr("An answer is being computed.");
  if (m_inspection->response.empty()) return tr("The response is empty.");
  return {};
}

void InspectPage::captureSelected(bool whateverTheCost) {
  captureSite(m_selection.site(), whateverTheCost);
}

void InspectPage::captureSite(Site site, bool whateverTheCost) {
  if (!captureRefusal().isEmpty() || m_capturing) return;
  const SelectionState& state = m_selection.state();
  InspectRequest request = sameResponse(false);
  request.sites = {site};
  if (!m_captureSettings->apply(request)) return m_map->setCapture(m_captureSettings->complaint(), {}, false);
  const int tokens = int(m_inspection->response.size());
  if (!request.responseTokens.empty()) {  // what the response has of them, and the chosen one, whose map is asked for
    std::erase_if(request.responseTokens, [&](int t) { return t >= tokens; });
    if (const int chosen = std::clamp(state.token, 0, tokens - 1); std::find(request.responseTokens.begin(), request.responseTokens.end(), chosen) == request.responseTokens.end())
      request.responseTokens.insert(std::lower_bound(request.responseTokens.begin(), request.responseTokens.end(), chosen), chosen);
  }
  if (site == Site::SelfAttention && state.prompt >= 0) {
    request.promptTokens = {state.prompt};
    request.responseTokens = {std::max(0, state.token)};
  }
  if (site == Site::Vision && state.visionQuery >= 0) request.visionQueries = {state.visionQuery};
  if (site == Site::LogitLens) request.lensMap = !m_inspection->images.empty();
  if (site == Site::GradientAttention && state.token >= 0) request.responseTokens = {state.token};
  if (whateverTheCost) return beginCapture(request, {site});
  const int generation = m_generation;
  const QString key = m_captureKey;
  m_session.submit(kSiteTag, [self = QPointer<QObject>(this), this, request, site, generation, key](Engine& engine, const EventSink& sink, std::stop_token) {
    try {
      const InspectCost cost = engine.inspectCost(request, sink);
      Session::reply(self, [this, cost, request, site, generation, key] {
        if (generation != m_generation || key != m_captureKey) return;
        double passes = 0;
        for (const SiteCost& each : cost.sites) passes += each.passes;
        m_captureCost = cost.fits ? costText(cost) : tr("needs %1, more than the budget of %2: choose fewer layers or tokens, or a larger budget").arg(bytesText(double(cost.bytes)), bytesText(double(cost.budgetBytes)));
        if (cost.fits && cost.peakBytes <= kSmallBytes && passes <= kSmallPasses) return beginCapture(request, {site});
        m_map->setCapture(tr("%1: not computed; %2").arg(siteTitle(site), m_captureCost), tr("Compute"), cost.fits);
      });
    } catch (...) {
      Session::reply(self, [this, failure = currentFailure("the cost of a capture"), generation] {
        if (generation == m_generation) m_map->setCapture(QString::fromStdString(failure.what + ": " + failure.why), tr("Compute"), true);
      });
    }
  });
}

void InspectPage::beginCapture(const InspectRequest& request, const std::set<Site>& sites) {
  m_capturing = true;
  const QString title = siteTitle(*sites.begin());
  m_map->setCapture(tr("Computing %1 …").arg(title), tr("Cancel"), true);
  m_lens->setCompute({}, true);
  m_session.setTask(kCaptureTask, tr("Computing %1").arg(title), [this] { cancelCapture(); });
  const int generation = m_generation, run = ++m_captureRun;
  m_session.submit(kSiteTag, [self = QPointer<QObject>(this), this, request, sites, generation, run, progress = m_session.taskSink(kCaptureTask)](Engine& engine, const EventSink&, std::stop_token stop) {
    // Tokens of a given response are not news: the strip must not stream them again.
    try {
      const InspectionPtr more = engine.inspect(request, progress, stop);
      Session::reply(self, [this, more, sites, generation, run, ofRun = request.student == kRunStudent] {
        if (run != m_captureRun) return;  // cancelled, or asked anew
        endCapture();
        m_lens->setCompute(captureRefusal(), false);
        if (generation != m_generation || !m_inspection) return;
        if (ofRun && more->step != m_inspection->step) {  // maps of two students are not one look
          m_map->setCapture(tr("The run's student is at step %1 by now, this look is of step %2. Ask again.").arg(more->step).arg(m_inspection->step), {}, false);
          return;
        }
        for (const Site site : sites) m_shownRequest.sites.insert(site);
        extend(merged(*m_inspection, *more, sites));
      });
    } catch (const Cancelled&) {
      Session::reply(self, [this, generation, run] {
        if (generation != m_generation || run != m_captureRun) return;
        endCapture();
        m_lens->setCompute(captureRefusal(), false);
        m_map->setCapture(tr("Cancelled"), tr("Compute"), true);
      });
    } catch (...) {
      Session::reply(self, [this, failure = currentFailure("capturing a site"), generation, run] {
        if (run != m_captureRun) return;
        endCapture();
        m_lens->setCompute(captureRefusal(), false);
        if (generation != m_generation) return;
        m_map->setCapture(tr("Not computed"), tr("Compute"), true);
        showFailure(failure);
      });
    }
  });
}

// The line above the canvas: nothing while there is a map, else why there is none and what it would take.
void InspectPage::updateCapture() {
  m_lens->setCompute(captureRefusal(), m_capturing);
  const MapSlice& slice = m_map->slice();
  if (!slice.missing || !m_inspection) {
    m_captureKey.clear();
    if (!m_capturing) m_map->setCapture({}, {}, false);
    return;
  }
  if (const QString refusal = captureRefusal(); !refusal.isEmpty()) return m_map->setCapture(slice.why + u' ' + refusal, {}, false);
  if (m_capturing) return;
  const SelectionState& state = m_selection.state();
  const QString key = QStringLiteral("%1 %2 %3 %4 %5").arg(int(state.site)).arg(state.token).arg(state.prompt).arg(state.visionQuery).arg(m_captureSettings->key());
  if (key == m_captureKey) return;
  m_captureKey = key;
  m_map->setCapture(tr("%1: asking what it takes …").arg(siteTitle(state.site)), tr("Compute"), true);
  captureSelected(false);
}

void InspectPage::endCapture() {
  m_capturing = false;
  m_session.endTask(kCaptureTask);
}

void InspectPage::cancelCapture() {
  m_session.cancelJobs(kSiteTag);
  ++m_captureRun;
  if (!m_capturing) return;
  endCapture();
  m_map->setCapture(tr("Cancelled"), tr("Compute"), true);
  m_lens->setCompute(captureRefusal(), false);
}

void InspectPage::cancelLooks() {
  cancelSteps();
  m_session.cancelJobs(kBesideTag);
  m_session.endTask(kBesideTask);
  cancelCapture();
  updateSteps();
}

void InspectPage::lookBeside() {
  const QString folder = m_ask->beside();
  m_besideWanted = false;  // before anything that says that work has changed
  m_session.cancelJobs(kBesideTag);
  m_session.endTask(kBesideTask);
  if (folder.isEmpty()) {
    m_besideLook.reset();
    m_map->setBeside({});
    m_tokens->setBeside({});
    m_distributions->setBeside({});
    return;
  }
  if (!captureRefusal().isEmpty()) {
    m_besideWanted = m_session.inspecting();  // it is looked at when the answer is whole
    return;
  }
  InspectRequest request = sameResponse(false);
  request.student = folder.toStdString();
  const int generation = m_generation;
  const QString label = m_ask->besideChooser()->currentText();
  m_session.setTask(kBesideTask, tr("Looking with %1").arg(label), [this] {
    m_session.cancelJobs(kBesideTag);
    m_session.endTask(kBesideTask);
    m_ask->setBeside({});
  });
  m_session.submit(kBesideTag, [self = QPointer<QObject>(this), this, request, generation, label, progress = m_session.taskSink(kBesideTask)](Engine& engine, const EventSink&, std::stop_token stop) {
    try {
      const InspectionPtr look = engine.inspect(request, progress, stop);
      Session::reply(self, [this, look, label, generation] {
        if (generation != m_generation) return;
        m_session.endTask(kBesideTask);
        besideArrived(look, label);
      });
    } catch (const Cancelled&) {
    } catch (...) {
      Session::reply(self, [this, failure = currentFailure("looking with another student"), generation] {
        if (generation != m_generation) return;
        m_session.endTask(kBesideTask);
        showFailure(failure);
      });
    }
  });
}

void InspectPage::besideArrived(const InspectionPtr& look, const QString& label) {
  m_besideLook = look;
  const QString own = m_inspection->step >= 0 ? tr("%1, step %2").arg(QString::fromStdString(m_inspection->student.name)).arg(m_inspection->step) : QString::fromStdString(m_inspection->student.name);
  m_map->setBeside(look, tr("A, %1").arg(own), tr("B, %1").arg(label));
  m_tokens->setBeside(look);
  m_distributions->setBeside(look);
  Q_EMIT viewChanged();
}

void InspectPage::addPictureDialog() {
  auto* dialog = new QFileDialog(this, tr("Add a picture or a video"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(QFileDialog::ExistingFiles);
  connect(dialog, &QFileDialog::filesSelected, this, [this](const QStringList& files) {
    for (const QString& file : files) m_ask->addPicture(file);
  });
  dialog->open();
}

void InspectPage::updateRecipe() {
  if (!m_inspection) return m_recipe->setPlainText(tr("No answer yet."));
  ExportChoice choice = exportChoice();
  choice.what = ExportChoice::What::Map;
  m_recipe->setPlainText(QString::fromUtf8(recipeOf(*m_inspection, m_shownRequest, choice)));
}

// What an export writes: the view that was worked in last, as it is shown.
ExportChoice InspectPage::exportChoice() const {
  using What = ExportChoice::What;
  ExportChoice choice;
  choice.what = What(std::max<qsizetype>(0, exportViewNames().indexOf(m_view)));
  choice.selection = m_selection.state();
  choice.view = m_map->view();
  choice.dark = Theme::instance().isDark();
  choice.tokenValue = m_tokens->value();
  choice.topTokens = m_distributions->topTokens();
  std::tie(choice.spanFirst, choice.spanLast) = m_distributions->span();
  choice.causal = m_map->causalText();
  choice.scale = m_exportScale;
  choice.lensEntropy = m_lens->byEntropy();
  choice.patches = m_map->pickedPatches();
  if (!m_inspection) return choice;
  choice.demo = m_workspace.isDemo(QString::fromStdString(m_inspection->student.folder));
  choice.compare = m_map->comparison();
  choice.labelA = m_map->labelA();
  choice.labelB = m_map->labelB();
  choice.second = m_map->secondState();
  choice.besideCapture = !choice.compare.isEmpty() && m_map->beside() != nullptr;
  if (const WhatIfPtr& answer = m_whatIf->answer()) {
    const bool pair = m_map->isPair() && m_map->secondSlice();
    choice.change = changeJson(*answer, answer->token >= 0 && answer->token < int(m_inspection->response.size()) ? tokenWords(m_inspection->response[std::size_t(answer->token)]) : QString(),
                               choice.topTokens, pair ? m_map->firstSlice() : MapSlice{}, pair ? *m_map->secondSlice() : MapSlice{});
  }
  if (choice.what == What::Steps) choice.steps = stepsJson(m_steps->looks(), choice.selection);
  if (choice.what == What::Model) choice.model = modelJson(m_model->listing(), m_model->norms());
  return choice;
}

void InspectPage::setExportView(const QString& name) {
  if (exportViewNames().contains(name)) m_view = name;
}

void InspectPage::setExportScale(double scale) {
  m_exportScale = std::clamp(scale, 0.25, 8.0);
}

}  // namespace cuescope
