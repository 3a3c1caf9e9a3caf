// The pages Train, Rollouts, Data and Evaluate with something on them, without the window around them: long names, several runs,
// troubles, checkpoints, pictures, two evaluations and a board. Values are made up. Header only; UI thread.
#pragma once

#include <QBuffer>
#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <fstream>
#include <functional>
#include <memory>

#include "engine/core/rollout_record.h"
#include "tests/support/made_up_board.h"
#include "tests/support/made_up_run.h"
#include "tests/support/made_up_values.h"
#include "tests/support/null_engine.h"
#include "ui/data_page.h"
#include "ui/evaluate_board.h"
#include "ui/evaluate_page.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/rollouts_page.h"
#include "ui/workspace.h"

namespace cuescope::made_up {

inline std::string rowId(std::int64_t row) { return "demo-train-" + std::to_string(1000 + row * 37); }

/// Sixty rows with a picture each; prompts and tokens as words.
class PagesEngine : public test::NullEngine {
 public:
  DataRows readRows(const std::string& file, std::int64_t first, int count) override {
    if (file.find("broken") != std::string::npos) throw Error("This data file cannot be read", file, "it ends in the middle of row 12", "Write it again, or choose another file.");
    DataRows rows;
    rows.file = file, rows.total = 60, rows.first = first;
    for (std::int64_t i = first; i < std::min<std::int64_t>(60, first + count); ++i) {
      DataRow row;
      row.index = i;
      row.id = rowId(i);
      row.kind = i % 2 ? "neighbor" : "count";
      row.layout = "image-first";
      row.question = i % 3 ? "What color is the shape directly to the right of the purple circle with the digit four?" : "How many green shapes are there?";
      row.prompt = "<image>" + row.question;
      row.answer = "The purple circle is at the center. \\boxed{green}";
      row.cue = i % 5 == 4 ? "" : "The purple circle with the digit four is at the center; to its right there is a diamond with the digit three.";
      row.pictures = 1;
      row.evidence = {{0, 84, 84, 32, 32, "purple circle four"}, {0, 124, 84, 32, 32, "green diamond three"}};
      QByteArray png;
      QBuffer buffer(&png);
      buffer.open(QIODevice::WriteOnly);
      drawing(192, 192).save(&buffer, "PNG");
      row.image.assign(png.begin(), png.end());
      rows.rows.push_back(row);
    }
    return rows;
  }
  ModelInfo openModel(const std::string& folder, const EventSink&, std::stop_token) override {
    ModelInfo info;
    info.folder = folder, info.name = folder.substr(folder.find_last_of('/') + 1), info.layers = 4, info.heads = 4, info.parameters = 1'932'992;
    return info;
  }
  RenderedPrompt chat(const std::string&, const std::vector<ChatMessage>& messages, bool) override {
    RenderedPrompt prompt;
    prompt.text = "<|im_start|>system\nThink first, then give the answer in \\boxed{}.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>";
    for (const ChatMessage& message : messages) prompt.text += message.contentJson;
    prompt.text += "<|im_end|>\n<|im_start|>assistant\n";
    prompt.tokens.resize(prompt.text.size() / 4);
    return prompt;
  }
  std::string detokenize(const std::string&, const std::vector<std::int64_t>& ids) override {
    const char* const words[] = {" the", " purple", " circle", " is", " at", " the", " center", ".", " \\", "boxed", "{", "green", "}"};
    return words[ids.front() % 13];
  }
};

inline EvaluationPtr evaluation(int offset) {
  auto e = std::make_shared<Evaluation>();
  e->model.folder = "/models/demo-student";
  e->files = {"held-out.parquet"};
  e->decoding = "greedy, at most 24 tokens";
  for (int i = 0; i < 60; ++i) {
    EvaluatedSample s;
    s.index = s.fileRow = i;
    s.file = e->files.front();
    s.id = rowId(i), s.kind = i % 2 ? "neighbor" : "count", s.layout = "image-first";
    s.question = i % 3 ? "What color is the shape directly to the right of the purple circle with the digit four?" : "How many green shapes are there?";
    s.groundTruth = i % 3 ? "green" : "two";
    EvaluatedAnswer answer;
    answer.accuracy = (i + offset) % 3 != 0, answer.format = 1;
    answer.boxed = answer.accuracy > 0 ? s.groundTruth : "seventeen";
    answer.text = "the purple circle is left of the diamond three. \\boxed{" + answer.boxed + "}";
    s.answers = {answer};
    e->samples.push_back(s);
  }
  e->scores = scoresOf(e->samples, 1);
  return e;
}

/// Six settings on `dataSets` sets, three seeds; one setting was measured on the first set alone.
inline Board board(std::size_t dataSets = 3) {
  std::vector<std::string> names{"held-out-test", "out-of-domain-layouts", "charts", "labels", "scenes", "clips"};
  names.resize(dataSets);
  return made_up::board({"base", "grpo", "opsd", "opsd + vicur", "opd", "opd + vicur"}, std::move(names),
                        [](std::size_t s, std::size_t d) { return s == 4 && d > 0 ? kNotComputed : 0.41 + 0.021 * double(s) + 0.03 * double(d); });
}

inline void writeCheckpoint(const std::string& run, int step, double accuracy) {
  const QString folder = QString::fromStdString(run) + QStringLiteral("/checkpoints/step-%1").arg(step, 6, 10, QLatin1Char('0'));
  QDir().mkpath(folder);
  std::ofstream((folder + QStringLiteral("/model.safetensors")).toStdString()) << std::string(160000, 'w');
  std::ofstream((folder + QStringLiteral("/manifest.json")).toStdString())
      << "{\"files\":{},\"metrics\":{\"val/accuracy\":" << accuracy << ",\"distillation/gap\":-0.4" << step << "}}";
}

inline void writeRollouts(const std::string& run, int step) {
  std::ofstream(run + "/train.parquet") << "made up";  // the engine below does not read it, but it has to be there
  RunWriter writer(run);
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    RolloutRecord r;
    r.step = step, r.index = i, r.sampleId = rowId(i), r.kind = "neighbor", r.layout = "image-first", r.dataSource = "cuescope/demo";
    r.dataFile = run + "/train.parquet", r.dataRow = i;
    r.input = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What color is the shape directly to the right of the purple circle with the digit four?<|im_end|>\n<|im_start|>assistant\n";
    r.output = "the purple circle is left of the diamond three. \\boxed{green}<|im_end|>";
    r.groundTruth = "green";
    for (int t = 0; t < 12 + i % 9; ++t) {
      r.ids.push_back(100 + t);
      r.studentLogProbs.push_back(-0.5f - 0.1f * float(t % 4));
      r.teacherLogProbs.push_back(r.studentLogProbs.back() + (t % 3 == 0 ? -1.f : 1.f) * float(i % 12 + 1) / 10 * (1 + 0.3f * float(std::sin(t * 1.7))));
      r.teacherTopIds.push_back({100 + t, 101 + t, 102 + t, 103 + t});
      r.teacherTopLogProbs.push_back({-0.4f, -1.6f, -2.4f, -3.8f});
    }
    r.score = i % 2 ? 0.1 : 1.0, r.accuracy = i % 2 ? 0 : 1, r.format = 1, r.stopped = i != 3;
    lines += toJsonLine(r);
  }
  writer.appendRollouts(step, lines);
}

/// One page in one state, and the words that name it.
struct PageLook {
  QString name;
  QWidget* page = nullptr;
};

class Pages {
 public:
  Pages() {
    m_first = writeRun(m_folder.path(), "demo-opd-vicur-1123-215241", 143, 0.38);
    for (const auto& [step, accuracy] : {std::pair{50, 0.527}, {100, 0.611}, {140, 0.604}}) writeCheckpoint(m_first, step, accuracy);
    for (const int step : {120, 130, 140}) writeRollouts(m_first, step);
    const std::string second = writeRun(m_folder.path(), "demo-opsd-vicur-1122-093012", 120, 0.5), third = writeRun(m_folder.path(), "demo-grpo-1121", 90, 0.6, false);
    m_session->start();
    if (!QTest::qWaitFor([&] { return m_session->engineState() == EngineState::Ready; }, 10000)) qFatal("no engine");
    for (const std::string& run : {m_first, second, third}) m_session->followRun(QString::fromStdString(run));
    m_selection.setRun(QStringLiteral("demo-opd-vicur-1123-215241"));

    // First, because the message is for every page that is there.
    make<TrainPage>(QStringLiteral("train-failed"), *m_session, m_selection);
    Q_EMIT m_session->runFailed(QStringLiteral("demo-opd-vicur-1123-215241"), {"The loss is not finite", "step 143, micro-batch 12 of 64", "a gradient of student.model.layers.3 overflowed in bfloat16", "Lower actor.optim.lr, or set trainer.dtype to float32, and go on from the checkpoint of step 140."});
    auto* train = make<TrainPage>(QStringLiteral("train"), *m_session, m_selection);
    train->setOverlay({QStringLiteral("demo-opsd-vicur-1122-093012"), QStringLiteral("demo-grpo-1121")});
    auto* form = make<TrainPage>(QStringLiteral("train-new-run"), *m_session, m_selection);
    form->newRun();
    make<TrainPage>(QStringLiteral("train-empty"), *m_nothing, m_none);
    make<RolloutsPage>(QStringLiteral("rollouts"), *m_session, m_selection);
    make<RolloutsPage>(QStringLiteral("rollouts-empty"), *m_nothing, m_none);
    make<DataPage>(QStringLiteral("data"), *m_session, m_workspace)->openFile(m_folder.filePath(QStringLiteral("demo-train-with-a-long-name.parquet")));
    make<DataPage>(QStringLiteral("data-empty"), *m_nothing, m_workspace);
    make<DataPage>(QStringLiteral("data-failed"), *m_session, m_workspace)->openFile(m_folder.filePath(QStringLiteral("broken.parquet")));
    auto* evaluate = make<EvaluatePage>(QStringLiteral("evaluate"), *m_session, m_workspace);
    make<EvaluatePage>(QStringLiteral("evaluate-empty"), *m_nothing, m_workspace);
    for (const PageLook& look : m_looks) {
      look.page->setParent(&m_host);
      look.page->hide();
    }
    m_host.resize(1384, 860);
    m_host.show();
    for (const PageLook& look : m_looks) show(look, {1384, 860});
    evaluate->addEvaluation(evaluation(0), QStringLiteral("demo student-weak on test"));
    evaluate->addEvaluation(evaluation(1), QStringLiteral("demo-opd-vicur-1123-215241, step 100 on test"));
    m_evaluate = evaluate;
    m_ready = true;
  }
  ~Pages() { qDeleteAll(m_owned); }

  const std::vector<PageLook>& looks() const { return m_looks; }
  QWidget& host() { return m_host; }
  Selection& selection() { return m_selection; }
  /// Shows one page at a size and lets what it asked for arrive.
  void show(const PageLook& look, const QSize& size) {
    for (const PageLook& other : m_looks) other.page->setVisible(other.page == look.page);
    m_host.resize(size);
    look.page->setGeometry(QRect(QPoint(0, 0), size));
    QTest::qWait(m_ready ? 30 : 150);
    if (m_evaluate && look.page == m_evaluate) m_evaluate->boardView()->setBoard(board());  // showing the page has read the runs, which have no scores
    for (int turn = 0; turn < 3; ++turn) QCoreApplication::sendPostedEvents();
  }

 private:
  template <typename Page, typename... Arguments>
  Page* make(const QString& name, Arguments&... arguments) {
    auto* page = new Page(arguments...);
    m_owned.push_back(page);
    m_looks.push_back({name, page});
    return page;
  }

  QTemporaryDir m_folder;
  std::string m_first;
  std::unique_ptr<Session> m_session = std::make_unique<Session>([] { return std::make_unique<PagesEngine>(); });
  std::unique_ptr<Session> m_nothing = std::make_unique<Session>([] { return std::make_unique<PagesEngine>(); });
  Workspace m_workspace;
  Selection m_selection, m_none;
  QWidget m_host;
  std::vector<QWidget*> m_owned;
  std::vector<PageLook> m_looks;
  EvaluatePage* m_evaluate = nullptr;
  bool m_ready = false;
};

}  // namespace cuescope::made_up
