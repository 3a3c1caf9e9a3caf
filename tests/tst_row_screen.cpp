// What a run finds out about its rows before it starts: true lengths without a decoded pixel, what is left out and why, cue edits
// beside the data and what they change for the teacher; and the same verdict from `data check`.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <QtTest/QtTest>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/cue_edits.h"
#include "engine/core/digest.h"
#include "engine/core/rollout_record.h"
#include "engine/core/run_directory.h"
#include "engine/data/data_export.h"
#include "engine/data/data_rows.h"
#include "engine/distill/row_screen.h"
#include "engine/distill/run.h"
#include "engine/evaluate/evaluation.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/golden.h"
#include "tests/support/row_runs.h"

using namespace cuescope;
using test::processor, test::sampleOf, test::textOf;
namespace fs = std::filesystem;

namespace {

std::string longText(int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text += "a red square stands left of a blue one. ";
  return text;
}

CueEdit editOf(std::int64_t row, const Sample& sample, const std::string& cue) {
  CueEdit edit;
  edit.row = row;
  edit.id = sample.id;
  edit.cue = cue;
  edit.originalCue = sample.cue;
  edit.by = "ann";
  edit.at = "2026-01-02T03:04:05Z";
  edit.changes = 1;
  return edit;
}

}  // namespace

class TestRowScreen : public QObject, private test::RowRuns {
  Q_OBJECT
  /// Six rows: 1 too long for the student, 3 a cue too long for the teacher, 4 a cut file, 5 damage that no header shows.
  std::vector<std::string> mixedFile(const std::string& name) const {
    std::vector<Sample> samples;
    for (int i = 0; i < 6; ++i) samples.push_back(sampleOf(i, i == 5 ? "photo.jpg" : "small.png"));
    samples[1].prompt[0].text += longText(20);
    samples[3].cue = longText(900);
    samples[4].imageBytes[0].resize(600);
    samples[5].imageBytes[0] = test::bytesOf(golden::path("images/square.png"));
    auto& damaged = samples[5].imageBytes[0];
    const std::string all(damaged.begin(), damaged.end());
    const std::size_t pixels = all.find("IDAT") + 40;
    for (std::size_t at = pixels; at < pixels + 64; ++at) damaged[at] ^= 0xff;
    writeJsonl(path(name), samples);
    return {path(name)};
  }

 private Q_SLOTS:
  void initTestCase() {
    at::set_num_threads(1);
    m_folder = std::make_unique<QTemporaryDir>();
  }

  void lengthsFromHeadersAreThoseOfTheDecodedPictures_data() {
    QTest::addColumn<QString>("image");
    for (const auto& entry : fs::directory_iterator(golden::path("images"))) {
      const QString name = QString::fromStdString(entry.path().filename().string());
      QTest::newRow(qPrintable(name)) << name;
    }
  }
  void lengthsFromHeadersAreThoseOfTheDecodedPictures() {
    QFETCH(QString, image);
    RunConfig config;
    config.data.maxPromptLength = 4000;
    config.teacher.privilege = "cue";
    const Preparer preparer(config, processor(), processor(), 4096);
    Sample sample = sampleOf(0, image.toStdString());
    const std::vector<Picture> pictures = decodePictures(sample);
    const std::vector<ImageSize> sizes = pictureSizes(sample);
    QCOMPARE(sizes.size(), std::size_t(1));
    QCOMPARE(sizes[0].width, pictures[0].width);
    QCOMPARE(sizes[0].height, pictures[0].height);
    const float width = static_cast<float>(pictures[0].width), height = static_cast<float>(pictures[0].height);
    for (const bool crop : {false, true}) {
      if (crop) sample.crops = {{0, width * 0.3f, height * 0.1f, width * 0.5f, height * 2.f, ""}};  // more than there is: cut
      RowLengths lengths;
      RowProblem problem;
      QVERIFY2(preparer.measure(sample, &lengths, &problem), problem.reason.c_str());
      const auto ready = preparer.prepare(sample, &problem);
      QVERIFY2(ready, problem.reason.c_str());
      QCOMPARE(lengths.student, static_cast<std::int64_t>(ready->student.ids.size()));
      QCOMPARE(lengths.teacher, static_cast<std::int64_t>(ready->teacher.ids.size()));
      QCOMPARE(lengths.privileged, true);
      QCOMPARE(ready->teacher.grids.size(), std::size_t(crop ? 2 : 1));
      QCOMPARE(ready->student.grids.size(), std::size_t(1));
    }
  }

  void rowsThatAreTooLongOrCannotBeReadAreCountedBeforeTheRunAndNeverDrawn() {
    RunConfig config = this->config("screened", mixedFile("mixed.jsonl"));
    config.data.trainBatchSize = 1;  // three steps draw each of three rows
    config.trainer.totalTrainingSteps = 3;
    const Finished run = finish(config);
    const auto& m = run.steps.back()->metrics;
    QCOMPARE(m.at("data/left_out/prompt_too_long"), 1.0);
    QCOMPARE(m.at("data/left_out/teacher_prompt_too_long"), 1.0);
    for (const std::string& id : run.drawn) QVERIFY2(id == "sample-0" || id == "sample-2", id.c_str());
    const auto& left = run.provenance.at("left_out").at("train");
    QCOMPARE(left.at("looked_at").get<int>(), 6);
    QCOMPARE(left.at("kept").get<int>(), 3);  // the damaged pixels show only when they are decoded
    QCOMPARE(left.at("counts").at("unreadable").get<int>(), 1);
    QCOMPARE(left.at("first").size(), std::size_t(3));
    QCOMPARE(left.at("first")[0].at("row").get<int>(), 1);
    QVERIFY(left.at("first")[0].at("reason").get<std::string>().find("data.max_prompt_length is 60") != std::string::npos);
    QVERIFY(std::any_of(run.log.begin(), run.log.end(), [](const std::string& line) { return line.find("Left out 3 of 6 training rows: 1 prompt too long, 1 teacher prompt too long, 1 unreadable") == 0; }));
    // The row whose pixels are damaged is met when it is drawn: named, counted, never a black picture.
    QVERIFY(m.at("data/left_out/unreadable") >= 2.0);
    QVERIFY(std::any_of(run.log.begin(), run.log.end(), [&](const std::string& line) { return line.find(path("mixed.jsonl") + ", row 5 (unreadable)") != std::string::npos; }));
    // And the check says all of it, beforehand.
    const DataVerdict verdict = checkRows({}, config, {}, {});
    QCOMPARE(verdict.rows, std::int64_t(6));
    QCOMPARE(verdict.kept, std::int64_t(2));
    QCOMPARE(verdict.dropped, (std::map<std::string, std::int64_t>{{"prompt too long", 1}, {"teacher prompt too long", 1}, {"unreadable", 2}}));
    QVERIFY(verdict.stops.empty() && verdict.usable());
    QCOMPARE(verdict.problems[0].reason, left.at("first")[0].at("reason").get<std::string>());
    QCOMPARE(verdict.teacherLimit, std::int64_t(4096 - 4));
  }

  void aBadRowStopsTheRunWhereThatIsAsked() {
    RunConfig config = this->config("stops", mixedFile("stops.jsonl"));
    config.data.badRows = "stop";
    const auto messageOf = [&] {
      try {
        finish(config);
      } catch (const Error& error) {
        return error.failure().where + " | " + error.failure().text();
      }
      return std::string();
    };
    std::string said = messageOf();
    QVERIFY2(said.find("stops.jsonl, row 4 |") != std::string::npos && said.find("data.bad_rows: skip") != std::string::npos, said.c_str());
    DataVerdict verdict = checkRows({}, config, {}, {});
    QVERIFY2(verdict.stops.find("row 4") != std::string::npos && !verdict.usable(), verdict.stops.c_str());
    QVERIFY(verdictText(verdict).find("Stops      ") != std::string::npos);
    // Without the filter the same row is met when it is drawn; one that is too long obeys data.truncation.
    config.data.filterOverlongPrompts = false;
    config.data.shuffle = false;
    config.data.truncation = "error";
    said = messageOf();
    QVERIFY2(said.find("stops.jsonl, row 1 |") != std::string::npos && said.find("too long") != std::string::npos, said.c_str());
    verdict = checkRows({}, config, {}, {});
    QVERIFY2(verdict.stops.find("row 1") != std::string::npos, verdict.stops.c_str());
    config.data.truncation = "skip";
    config.trainer.totalTrainingSteps = 3;
    said = messageOf();
    QVERIFY2(said.find("stops.jsonl, row 4 |") != std::string::npos, said.c_str());
  }

  void theFilterChangesWhichRowsAreLookedAtNotWhatTheyGive() {
    std::vector<Sample> samples;
    for (int i = 0; i < 5; ++i) samples.push_back(sampleOf(i));
    samples[2].prompt[0].text += longText(20);
    writeJsonl(path("filter.jsonl"), samples);
    RunConfig config = this->config("filtered", {path("filter.jsonl")});
    config.data.shuffle = false;
    const Finished with = finish(config);
    config.trainer.name = "unfiltered";
    config.data.filterOverlongPrompts = false;
    const Finished without = finish(config);
    QCOMPARE(with.drawn, (std::vector<std::string>{"sample-0", "sample-1", "sample-3", "sample-4"}));
    QCOMPARE(without.drawn, with.drawn);
    QCOMPARE(with.steps[1]->metrics.at("training/skipped_rows"), 0.0);
    QCOMPARE(without.steps[1]->metrics.at("training/skipped_rows"), 1.0);
    QCOMPARE(without.steps[1]->metrics.at("data/left_out/prompt_too_long"), with.steps[1]->metrics.at("data/left_out/prompt_too_long"));
  }

  void aLongScreenTellsItsProgressAndCanBeCancelled() {
    int rows = 0;
    const RowSource source = test::tinyRows(500, [&rows](std::int64_t, Sample&) { ++rows; });
    RunConfig config;
    const Preparer preparer(config, processor(), nullptr, 0);
    std::stop_source stop;
    int reports = 0;
    const EventSink sink = [&](const Event& event) {
      if (const auto* progress = std::get_if<Progress>(&event)) {
        ++reports;
        QCOMPARE(progress->total, 500.0);
        if (progress->done >= 128) stop.request_stop();
      }
    };
    QVERIFY_THROWS_EXCEPTION(Cancelled, screenRows(source, preparer, config, RowUse::Train, 0, sink, stop.get_token()));
    QCOMPARE(reports, 3);
    QCOMPARE(rows, 129);
    QCOMPARE(screenRows(source, preparer, config, RowUse::HeldOut, 7, {}, {}).kept.size(), std::size_t(7));
  }

  void anEditedCueAndItsCropAreWhatTheTeacherReads() {
    std::vector<Sample> samples;
    for (int i = 0; i < 4; ++i) samples.push_back(sampleOf(i, "square.png"));
    const std::string file = path("edited.jsonl");
    writeJsonl(file, samples);
    RunConfig config = this->config("plain-cues", {file});
    config.data.shuffle = false;
    config.data.maxPromptLength = 400;
    const Finished before = finish(config);

    CueEdits edits;
    edits[0] = editOf(0, samples[0], "Look at the left half.");
    edits[0].marks = {{"crop", 0, 0, 32, 64, "left", "edited"}, {"box", 4, 4, 20, 20, "", "edited"}};
    edits[2] = editOf(2, samples[2], "Look at the right half.");
    writeCueEdits(cueEditsFile(file), edits);
    const Dataset dataset = Dataset::open({file}, true);
    QCOMPARE(dataset.row(0).cue, std::string("Look at the left half."));
    QCOMPARE(dataset.row(0).evidence.size(), std::size_t(2));
    QCOMPARE(dataset.row(0).crops.size(), std::size_t(1));
    QCOMPARE(dataset.row(1).cue, samples[1].cue);
    const Preparer preparer(config, processor(), processor(), 4096);
    RowProblem problem;
    const auto ready = preparer.prepare(dataset.row(0), &problem);
    QVERIFY2(ready, problem.reason.c_str());
    QCOMPARE(ready->privilege, std::string("Look at the left half."));
    QCOMPARE(ready->teacher.grids.size(), std::size_t(2));
    QCOMPARE(ready->student.grids.size(), std::size_t(1));
    const std::string told = processor()->tokenizer().decode(ready->teacher.ids);
    QVERIFY2(told.find("part 0?\n[Hint]: <|vision_start|>") != std::string::npos && told.find("<|vision_end|>Look at the left half.<|im_end|>") != std::string::npos, told.c_str());
    // Its pixels are those of the crop, as the processor reads that picture.
    const auto pictures = decodePictures(samples[0]);
    const Picture crop = cropOf(pictures, {0, 0, 0, 32, 64, ""});
    QCOMPARE(crop.width, 32);
    QCOMPARE(crop.height, 64);
    QCOMPARE(crop.rgb[32 * 3 * 5 + 7], pictures[0].rgb[static_cast<std::size_t>(pictures[0].width) * 3 * 5 + 7]);
    const at::Tensor pixels = processor()->image(processor()->loaded(crop)).pixelValues;
    QVERIFY(at::equal(ready->teacher.pixelValues.slice(0, ready->teacher.pixelValues.size(0) - pixels.size(0)), pixels));

    // A run: other scores of the same responses for edited rows, the same ones for the others; provenance says which edits.
    config.trainer.name = "edited-cues";
    const Finished after = finish(config);
    QCOMPARE(after.drawn, before.drawn);
    for (std::size_t i = 0; i < 2; ++i) QCOMPARE(after.rollouts[i].ids, before.rollouts[i].ids);  // the student is told nothing
    QVERIFY(after.rollouts[0].teacherLogProbs != before.rollouts[0].teacherLogProbs);
    QVERIFY(after.rollouts[1].teacherLogProbs == before.rollouts[1].teacherLogProbs);
    const auto& said = after.provenance.at("data")[0].at("cue_edits");
    QCOMPARE(said.at("xxh3").get<std::string>(), filesDigest({cueEditsFile(file)}));
    QCOMPARE(said.at("rows").get<int>(), 2);
    QCOMPARE(said.at("crops").get<int>(), 1);
    QVERIFY(said.at("applied").get<bool>() && !before.provenance.at("data")[0].contains("cue_edits"));

    config.trainer.name = "edits-off";
    config.data.cueEdits = false;
    const Finished off = finish(config);
    QVERIFY(off.rollouts[0].teacherLogProbs == before.rollouts[0].teacherLogProbs);
    QVERIFY(!off.provenance.at("data")[0].at("cue_edits").at("applied").get<bool>());
    QVERIFY(verdictText(checkRows({}, config, {}, {})).find("left out (data.cue_edits: false)") != std::string::npos);
    config.data.cueEdits = true;
    const DataVerdict verdict = checkRows({}, config, {}, {});
    QCOMPARE(verdict.edits.size(), std::size_t(1));
    QCOMPARE(verdict.edits[0].rows, std::int64_t(2));
    QVERIFY2(verdictText(verdict).find("Cue edits  2 rows, 1 crops for the teacher: they count") != std::string::npos, verdictText(verdict).c_str());

    // Other privileges do not show the crop.
    config.teacher.privilege = "none";
    QCOMPARE(Preparer(config, processor(), processor(), 4096).prepare(dataset.row(0), &problem)->teacher.grids.size(), std::size_t(1));
  }

  void aCropAloneIsAPrivilegeAndAWrongCueKeepsIt() {
    RunConfig config = this->config("contrast", {});
    config.data.maxPromptLength = 400;
    config.distillation.contrast = "wrong_cue";
    config.trainer.totalTrainingSteps = 1;
    std::vector<Sample> samples{sampleOf(0, "square.png"), sampleOf(1, "square.png")};
    samples[1].cue = "Another place altogether.";
    for (Sample& sample : samples) {
      sample.evidence = {{0, 0, 0, 64, 64, ""}};
      sample.crops = sample.evidence;
    }
    writeJsonl(path("contrast.jsonl"), samples);
    config.data.trainFiles = {path("contrast.jsonl")};
    const Finished run = finish(config);
    QCOMPARE(run.steps[0]->metrics.at("distillation/contrast_hit_rate"), 1.0);
    Sample bare = samples[0];
    bare.cue.clear();
    RowProblem problem;
    const auto ready = Preparer(config, processor(), processor(), 4096).prepare(bare, &problem);
    QVERIFY(ready->privileged && ready->privilege.empty() && ready->teacher.grids.size() == 2);
  }

  void anEditOfAnotherVersionOfTheRowIsNotAppliedInSilence() {
    std::vector<Sample> samples{sampleOf(0), sampleOf(1), sampleOf(2)};
    const std::string file = path("stale.jsonl");
    writeJsonl(file, samples);
    CueEdits edits;
    edits[1] = editOf(1, samples[1], "New.");
    writeCueEdits(cueEditsFile(file), edits);
    samples[1].cue = "The data have changed since.";
    writeJsonl(file, samples);
    const DataVerdict verdict = checkRows({}, config("stale", {file}), {}, {});
    QCOMPARE(verdict.dropped, (std::map<std::string, std::int64_t>{{"stale cue edit", 1}}));
    const Finished run = finish(config("stale", {file}));
    QCOMPARE(run.steps[0]->metrics.at("data/left_out/stale_cue_edit"), 1.0);
    edits[7] = editOf(7, samples[0], "No such row.");
    writeCueEdits(cueEditsFile(file), edits);
    QVERIFY_THROWS_EXCEPTION(Error, Dataset::open({file}, true));
  }

  void aRunWhoseCueEditsHaveChangedGoesOnOnlyWhereThatIsAllowed() {
    std::vector<Sample> samples{sampleOf(0), sampleOf(1), sampleOf(2), sampleOf(3)};
    const std::string file = path("changed.jsonl");
    writeJsonl(file, samples);
    RunConfig config = this->config("changed", {file});
    config.trainer.saveFreq = 1;
    finish(config);
    writeCueEdits(cueEditsFile(file), {{0, editOf(0, samples[0], "New.")}});
    config.trainer.resumeMode = "auto";
    config.trainer.totalTrainingSteps = 3;
    std::string why;
    try {
      finish(config);
    } catch (const Error& error) {
      why = error.failure().why;
    }
    QCOMPARE(why, std::string("the cue edits of the training data are no longer the same"));
    config.trainer.resumeMode = "changed:auto";
    const Finished resumed = finish(config);
    const auto says = [&](const char* words) { return std::any_of(resumed.log.begin(), resumed.log.end(), [&](const std::string& line) { return line.find(words) != std::string::npos; }); };
    QVERIFY(says("This is no longer the run that was stopped: the cue edits of the training data are no longer the same"));
    QVERIFY(!says("the training data are no longer the same ("));
    QCOMPARE(resumed.provenance.at("changed").size(), std::size_t(1));
  }

  void rowsWithVideosAreReadMeasuredTrainedAndLookedAt() {
    const std::string clip = golden::path("video/clip.avi");
    std::vector<Sample> samples{sampleOf(0), sampleOf(1), sampleOf(2), sampleOf(3)};
    for (std::size_t i = 0; i < samples.size(); ++i) {
      samples[i].videos = {{clip, {}}};
      samples[i].prompt[0].text = "<video>And <image>what moves in part " + std::to_string(i) + "?";  // mixed, the video first
      samples[i].teacherTurns = {{"user", "<image>Then <video>what moves? Look left."}};                // and in another order
      samples[i].evidence = {{0, 0, 0, 16, 16, ""}};
      samples[i].cue.clear();
    }
    samples[1].videos[0].options.frames = 4;
    samples[2].videos[0].options = {.fps = 6, .minFrames = 2, .maxFrames = 4};
    samples[3].imageBytes.clear(), samples[3].imagePaths.clear(), samples[3].evidence.clear(), samples[3].teacherTurns.clear();
    samples[3].prompt[0].text = "<video>What moves?";
    for (const std::string& kind : haveParquet() ? std::vector<std::string>{"parquet", "jsonl"} : std::vector<std::string>{"jsonl"}) {
      const std::string file = path("videos." + kind);
      kind == "parquet" ? writeParquet(file, samples) : writeJsonl(file, samples);
      const Dataset dataset = Dataset::open({file});
      QCOMPARE(dataset.row(0).videos.at(0).path, clip);
      QCOMPARE(dataset.row(1).videos.at(0).options.frames, 4);
      QCOMPARE(dataset.row(2).videos.at(0).options.fps, 6.0);
      QCOMPARE(dataset.row(2).videos.at(0).options.maxFrames, 4);
      QVERIFY(readRows(file, 0, 1).rows[0].problem.empty());
      QCOMPARE(readRows(file, 3, 1).rows[0].videos, std::vector<std::string>{clip});
    }
    const std::string file = path("videos.jsonl");
    RunConfig config = this->config("videos", {file});
    config.data.maxPromptLength = 400;
    const Dataset dataset = Dataset::open({file});
    const Preparer preparer(config, processor(), processor(), 4096);
    RowProblem problem;
    for (std::int64_t i = 0; i < 4; ++i) {
      RowLengths lengths;
      QVERIFY2(preparer.measure(dataset.row(i), &lengths, &problem), problem.reason.c_str());
      const auto ready = preparer.prepare(dataset.row(i), &problem);
      QVERIFY2(ready != nullptr, problem.reason.c_str());
      QCOMPARE(lengths.student, static_cast<std::int64_t>(ready->student.ids.size()));  // the headers told the truth
      QCOMPARE(lengths.teacher, static_cast<std::int64_t>(ready->teacher.ids.size()));
      QCOMPARE(lengths.privileged, i < 3);
      QVERIFY(ready->student.grids[0].video);
    }
    // The row is what the processor makes of video and picture by themselves.
    const Sample first = dataset.row(0);
    const auto ready = preparer.prepare(first, &problem);
    const VisualInput film = processor()->video(clip), picture = processor()->image(processor()->loaded(decodePictures(first)[0]));
    const Prompt alone = processor()->prompt(first.prompt, {film, picture});
    QCOMPARE(ready->student.ids, alone.row.ids);
    QVERIFY(at::equal(ready->student.pixelValues, at::cat({film.pixelValues, picture.pixelValues})));
    QVERIFY(!ready->teacher.grids[0].video && ready->teacher.grids[1].video);
    QVERIFY(at::equal(ready->teacher.pixelValues, at::cat({picture.pixelValues, film.pixelValues})));
    // Boxes, sizes and files count as the grids do: the picture is the second.
    QCOMPARE(ready->sample.evidence[0].image, 1);
    QCOMPARE(ready->sample.imagePaths[0], clip);
    QCOMPARE(ready->imageWidths[0], 56);
    QCOMPARE(processor()->measuredVideo(clip, samples[1].videos[0].options).grid.t, std::int64_t(2));
    QCOMPARE(processor()->video(clip, samples[2].videos[0].options).frameIndices.size(), std::size_t(4));

    config.data.valFiles = {file};
    config.trainer.probeFreq = config.trainer.testFreq = 1;
    const Finished run = finish(config);
    QCOMPARE(run.steps.size(), std::size_t(3));  // the look before the first step, and two steps
    for (const StepPtr& step : {run.steps[1], run.steps[2]}) {
      QVERIFY(std::isfinite(step->metrics.at("actor/loss")) && step->metrics.at("actor/grad_norm") > 0);
      QVERIFY(step->metrics.at("training/rollout_logprob_diff_mean") < 1e-4);  // decoded and trained alike
      QCOMPARE(step->metrics.at("val/n"), 4.0);
      QVERIFY(!step->probes.empty());
    }
    const auto& maps = run.steps[0]->probes;
    QVERIFY(std::none_of(maps[0].evidenceMass.begin(), maps[0].evidenceMass.end(), [](float m) { return m >= 0; }));  // of the video
    QVERIFY(std::all_of(maps[1].evidenceMass.begin(), maps[1].evidenceMass.end(), [](float m) { return m >= 0; }));   // of the picture
    QVERIFY(!run.rollouts.empty() && !run.rollouts[0].teacherLogProbs.empty());
    QCOMPARE(run.rollouts[0].pictures.at(0).path, clip);
    config.trainer.name = "erased-videos";
    config.distillation.contrast = "erased_image";
    QVERIFY(std::isfinite(finish(config).steps.back()->metrics.at("actor/loss")));
    config.trainer.name = "wrong-cue-videos";
    config.distillation.contrast = "wrong_cue";
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i].cue = "Part " + std::to_string(i) + " moves.";
    writeJsonl(file, samples);
    QVERIFY(std::isfinite(finish(config).steps.back()->metrics.at("actor/loss")));
  }

  void badVideosAreBadRowsWithTheirReason() {
    const std::string cut = path("cut.avi");
    std::ofstream(cut, std::ios::binary) << textOf(golden::path("video/clip.avi")).substr(0, 5000);
    const auto line = [](const std::string& prompt, const nlohmann::json& videos) {
      return nlohmann::json{{"id", "v"}, {"prompt", {{{"role", "user"}, {"content", prompt}}}}, {"reward_model", {{"ground_truth", "a"}}}, {"videos", videos}}.dump() + "\n";
    };
    const auto named = [](const nlohmann::json& video) { return nlohmann::json::array({{{"video", video}}}); };
    const std::string file = path("bad-videos.jsonl");
    std::ofstream(file) << line("<video>What?", nlohmann::json::array()) << line("What?", named("cut.avi")) << line("<video>What?", named({"1.png", "2.png"}))
                        << line("<video>What?", named("https://example.org/a.mp4")) << line("<video>What?", named("cut.avi")) << line("<video>What?", named("nowhere.avi"));
    const char* reasons[] = {"prompt has 1 <video> marks, the row has 0 videos", "prompt has 0 <video> marks, the row has 1 videos", "only video files are read", "only files are read", "cut.avi", "nowhere.avi"};
    RunConfig config = this->config("bad-videos", {file});
    const DataVerdict verdict = checkRows({}, config, {}, {});
    QCOMPARE(verdict.kept, std::int64_t(0));
    QCOMPARE(verdict.problems.size(), std::size_t(6));
    for (std::size_t i = 0; i < 6; ++i) QVERIFY2(verdict.problems[i].reason.find(reasons[i]) != std::string::npos, verdict.problems[i].reason.c_str());
  }

  void editedRowsAreWrittenForOtherPrograms_data() {
    QTest::addColumn<QString>("from");
    QTest::addColumn<QString>("to");
    QTest::newRow("jsonl") << "rows.jsonl" << "out.jsonl";
    if (!haveParquet()) return;
    QTest::newRow("parquet") << "rows.parquet" << "out.parquet";
    QTest::newRow("parquet to jsonl") << "rows.parquet" << "out.jsonl";
    QTest::newRow("jsonl to parquet") << "rows.jsonl" << "out.parquet";
  }
  void editedRowsAreWrittenForOtherPrograms() {
    QFETCH(QString, from);
    QFETCH(QString, to);
    const QTemporaryDir folder;
    const std::string file = folder.filePath(from).toStdString(), output = folder.filePath("deep/" + to).toStdString();
    std::vector<Sample> samples{sampleOf(0), sampleOf(1), sampleOf(2)};
    samples[2].cue.clear();
    samples[1].evidence = {{0, 1, 2, 3, 4, "kept"}};
    from.endsWith("parquet") ? writeParquet(file, samples, 2) : writeJsonl(file, samples);
    const std::string before = textOf(file);
    CueEdits edits;
    edits[0] = editOf(0, samples[0], "Look left.");
    edits[0].marks = {{"crop", 1, 2, 10, 12, "l", "edited"}, {"box", 3, 4, 5, 6, "b", "edited"}};
    writeCueEdits(cueEditsFile(file), edits);
    const DataExport done = exportRows(file, output, true, {}, {});
    QCOMPARE(done.rows, std::int64_t(3));
    QCOMPARE(done.edited, std::int64_t(1));
    QCOMPARE(done.crops, std::int64_t(1));
    QCOMPARE(done.teacherPrompts, std::int64_t(2));
    QCOMPARE(textOf(file), before);
    const Dataset back = Dataset::open({output});  // without edits: they are in the columns now
    QCOMPARE(back.size(), std::int64_t(3));
    const Sample first = back.row(0), second = back.row(1), third = back.row(2);
    QCOMPARE(first.cue, std::string("Look left."));
    QCOMPARE(first.evidence.size(), std::size_t(2));
    QCOMPARE(first.crops.size(), std::size_t(1));
    QCOMPARE(first.crops[0].height, 12.f);
    QCOMPARE(first.teacherTurns.size(), std::size_t(1));
    QCOMPARE(first.teacherTurns[0].text, samples[0].prompt[0].text + "\n[Hint]: Look left.");
    QCOMPARE(second.cue, samples[1].cue);
    QCOMPARE(second.evidence.size(), std::size_t(1));
    QCOMPARE(second.evidence[0].label, std::string("kept"));
    QVERIFY(second.crops.empty() && third.teacherTurns.empty() && third.cue.empty());
    QCOMPARE(first.imageBytes, samples[0].imageBytes);
    if (from.endsWith("parquet") == to.endsWith("parquet")) {
      QVERIFY(to.endsWith("jsonl") ? textOf(output).find("cue_provenance") != std::string::npos : first.texts.at("cue_provenance").find("\"by\":\"ann\"") != std::string::npos);
    }
    // The prompt that verl's teacher gets is the one that this teacher reads, but for the crop.
    const auto own = processor()->prompt(samples[0].prompt, {processor()->measured(64, 64)}, "Look left.");
    QCOMPARE(processor()->prompt(first.teacherTurns, {processor()->measured(64, 64)}).row.ids, own.row.ids);
    QVERIFY_THROWS_EXCEPTION(Error, exportRows(file, file, false, {}, {}));
    QVERIFY_THROWS_EXCEPTION(Error, exportRows(file, folder.filePath("x.csv").toStdString(), false, {}, {}));
    std::stop_source stop;
    stop.request_stop();
    QVERIFY_THROWS_EXCEPTION(Cancelled, exportRows(file, folder.filePath("c-" + to).toStdString(), false, {}, stop.get_token()));
    for (const auto& entry : fs::directory_iterator(folder.path().toStdString())) QVERIFY(entry.path().filename().string().find("c-") != 0);
  }
};

QTEST_GUILESS_MAIN(TestRowScreen)
#include "tst_row_screen.moc"
