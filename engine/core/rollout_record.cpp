#include "engine/core/rollout_record.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/core/json_values.h"

namespace cuescope {
namespace {

using nlohmann::json;

void readPlace(const json& line, RolloutRecord& r) {
  r.dataSource = line.value("data_source", "");
  r.kind = line.value("kind", "");
  r.layout = line.value("layout", "");
  r.dataFile = line.value("data_file", "");
  r.dataRow = line.value("data_row", std::int64_t{-1});
  for (const auto& picture : line.value("images", json::array())) {
    if (!picture.is_object()) continue;  // another program's list of pictures
    RolloutPicture p;
    p.path = picture.value("path", "");
    const auto grid = picture.value("grid", std::vector<int>{}), size = picture.value("size", std::vector<int>{});
    if (grid.size() == 2) p.gridRows = grid[0], p.gridCols = grid[1];
    if (size.size() == 2) p.width = size[0], p.height = size[1];
    r.pictures.push_back(std::move(p));
  }
  if (line.contains("teacher_topk_ids") && line.contains("teacher_topk_logprobs")) {
    r.teacherTopIds = line["teacher_topk_ids"].get<std::vector<std::vector<std::int64_t>>>();
    for (const auto& position : line["teacher_topk_logprobs"]) r.teacherTopLogProbs.push_back(floatsFrom(position));
  }
}

}  // namespace

std::string toJsonLine(const RolloutRecord& r) {
  nlohmann::ordered_json line = {{"step", r.step},
                                 {"index", r.index},
                                 {"request_id", r.sampleId},
                                 {"input", r.input},
                                 {"output", r.output},
                                 {"gts", r.groundTruth},
                                 {"score", r.score},
                                 {"acc", r.accuracy},
                                 {"format", r.format},
                                 {"stopped", r.stopped},
                                 {"ids", r.ids},
                                 {"student_token_logprobs", r.studentLogProbs},
                                 {"teacher_token_logprobs", r.teacherLogProbs},
                                 {"data_source", r.dataSource},
                                 {"kind", r.kind},
                                 {"layout", r.layout},
                                 {"data_file", r.dataFile},
                                 {"data_row", r.dataRow}};
  line["images"] = nlohmann::ordered_json::array();
  for (const auto& picture : r.pictures)
    line["images"].push_back({{"path", picture.path}, {"grid", {picture.gridRows, picture.gridCols}}, {"size", {picture.width, picture.height}}});
  if (!r.teacherTopIds.empty()) {
    line["teacher_topk_ids"] = r.teacherTopIds;
    line["teacher_topk_logprobs"] = r.teacherTopLogProbs;
  }
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::vector<RolloutRecord> parseRollouts(const std::string& jsonLines) {
  std::vector<RolloutRecord> records;
  std::size_t begin = 0;
  for (int number = 1; begin < jsonLines.size(); ++number) {
    std::size_t end = jsonLines.find('\n', begin);
    if (end == std::string::npos) break;  // still being written
    try {
      json line = json::parse(jsonLines.begin() + begin, jsonLines.begin() + end);
      RolloutRecord r;
      r.step = line.at("step");
      r.index = line.value("index", number - 1);
      r.sampleId = line.value("request_id", "");
      r.input = line.value("input", "");
      r.output = line.value("output", "");
      r.groundTruth = line.value("gts", "");
      r.score = line.value("score", 0.0);
      r.accuracy = line.value("acc", 0.0);
      r.format = line.value("format", 0.0);
      r.stopped = line.value("stopped", false);
      r.ids = line.value("ids", std::vector<std::int64_t>{});
      if (line.contains("student_token_logprobs")) r.studentLogProbs = floatsFrom(line["student_token_logprobs"]);
      if (line.contains("teacher_token_logprobs")) r.teacherLogProbs = floatsFrom(line["teacher_token_logprobs"]);
      readPlace(line, r);
      records.push_back(std::move(r));
    } catch (const json::exception& error) {
      throw Error("A saved rollout could not be read", "line " + std::to_string(number), error.what(),
                  "The file was changed by another program; other steps are not affected.");
    }
    begin = end + 1;
  }
  return records;
}

}  // namespace cuescope
