#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include <algorithm>
#include <filesystem>

#include "engine/core/failure.h"
#include "engine/data/data_export.h"
#include "engine/data/dataset.h"
#include "engine/data/parquet_groups.h"

namespace cuescope {

namespace {

namespace fs = std::filesystem;
using ScalarPtr = std::shared_ptr<arrow::Scalar>;

void check(const arrow::Status& status, const std::string& file, const char* what) {
  if (!status.ok()) throw Error(what, file, status.message());
}

// Values by name, whatever of Arrow's string, binary and list types a writer chose. Null when absent or null.
ScalarPtr present(ScalarPtr value) {
  if (value && value->type->id() == arrow::Type::DICTIONARY) {
    auto decoded = static_cast<const arrow::DictionaryScalar&>(*value).GetEncodedValue();
    value = decoded.ok() ? *decoded : nullptr;
  }
  return value && value->is_valid ? value : nullptr;
}

ScalarPtr member(const ScalarPtr& object, const char* name) {
  if (!object) return nullptr;
  if (object->type->id() != arrow::Type::STRUCT) throw std::invalid_argument(std::string("«") + name + "» is looked for in a value that is no struct");
  const auto found = static_cast<const arrow::StructScalar&>(*object).field(arrow::FieldRef(name));
  return found.ok() ? present(*found) : nullptr;
}

std::string text(const ScalarPtr& value, const std::string& otherwise = {}) {
  if (!value) return otherwise;
  if (arrow::is_base_binary_like(value->type->id()))
    return std::string(static_cast<const arrow::BaseBinaryScalar&>(*value).view());
  if (arrow::is_list_like(value->type->id()) || value->type->id() == arrow::Type::STRUCT)
    throw std::invalid_argument("a column that should be text is a " + value->type->ToString());
  return value->ToString();
}

double number(const ScalarPtr& value, const char* name) {
  if (!value) throw std::invalid_argument(std::string("«") + name + "» is missing");
  const auto cast = value->CastTo(arrow::float64());
  if (!cast.ok()) throw std::invalid_argument(std::string("«") + name + "» is no number");
  return static_cast<const arrow::DoubleScalar&>(**cast).value;
}

std::vector<ScalarPtr> items(const ScalarPtr& value) {
  std::vector<ScalarPtr> result;
  if (!value) return result;
  if (!arrow::is_list_like(value->type->id())) return {value};  // one struct instead of a list of one (spec 3.1)
  const auto& list = *static_cast<const arrow::BaseListScalar&>(*value).value;
  for (std::int64_t i = 0; i < list.length(); ++i) {
    const auto item = list.GetScalar(i);
    if (!item.ok()) throw std::invalid_argument(item.status().message());
    result.push_back(present(*item));
  }
  return result;
}

std::vector<Turn> turns(const ScalarPtr& value) {
  std::vector<Turn> result;
  for (const ScalarPtr& turn : items(value)) {
    if (turn && arrow::is_base_binary_like(turn->type->id())) {
      result.push_back({"user", text(turn)});
    } else {
      result.push_back({text(member(turn, "role")), text(member(turn, "content"))});
    }
  }
  return result;
}

class ParquetFile : public DatasetFile {
 public:
  ParquetFile(const std::string& file, std::int64_t keptBytes) : m_file(file), m_groups(file, keptBytes) {
    if (m_groups.schema().GetFieldIndex("prompt") < 0) throw Error("The data has no column «prompt»", file, {}, "See the columns in resources/demo/README.md.");
    if (m_groups.rows() == 0) throw Error("The data file has no rows", file);
  }

  std::int64_t size() const override { return m_groups.rows(); }
  std::int64_t groupReads() const override { return m_groups.reads(); }
  std::int64_t decodedBytes() const override { return m_groups.keptBytes(); }

  Sample row(std::int64_t i) const override {
    const std::string where = m_file + ", row " + std::to_string(i);
    try {
      m_table.reset();
      const ParquetGroups::Place place = m_groups.place(i);
      m_table = place.table;
      return read(place.row);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error("A row of the data could not be read", where, error.what());
    }
  }

 private:
  ScalarPtr column(const char* name, std::int64_t row) const {
    const auto column = m_table->GetColumnByName(name);
    if (!column) return nullptr;
    const auto value = column->GetScalar(row);
    if (!value.ok()) throw std::invalid_argument(value.status().message());
    return present(*value);
  }

  void readPictures(const char* name, std::int64_t row, std::vector<std::vector<std::uint8_t>>& stored, std::vector<std::string>& paths) const {
    for (const ScalarPtr& image : items(column(name, row))) {
      const bool bare = image && arrow::is_base_binary_like(image->type->id());
      const std::string bytes = bare ? text(image) : text(member(image, "bytes")), path = bare ? "" : text(member(image, "path"));
      stored.emplace_back(bytes.begin(), bytes.end());
      paths.push_back(path.empty() || fs::path(path).is_absolute() ? path : (fs::path(m_file).parent_path() / path).string());
    }
  }

  Sample read(std::int64_t row) const {
    Sample sample;
    sample.id = text(column("id", row));
    sample.dataSource = text(column("data_source", row));
    sample.prompt = turns(column("prompt", row));
    sample.teacherTurns = turns(column("teacher_prompt", row));
    sample.hint = text(column("hint", row));
    sample.cue = text(column("cue", row));
    sample.ability = text(column("ability", row));
    sample.kind = text(column("kind", row));
    sample.layout = text(column("layout", row));
    const ScalarPtr reward = column("reward_model", row), extra = column("extra_info", row);
    sample.rewardStyle = text(member(reward, "style"), "rule");
    sample.groundTruth = text(member(reward, "ground_truth"));
    sample.split = text(member(extra, "split"));
    sample.answer = text(member(extra, "answer"));
    sample.question = text(member(extra, "question"));
    if (const ScalarPtr index = member(extra, "index"); index && arrow::is_integer(index->type->id()))
      sample.index = static_cast<std::int64_t>(number(index, "index"));
    readPictures("images", row, sample.imageBytes, sample.imagePaths);
    readPictures("teacher_images", row, sample.teacherImageBytes, sample.teacherImagePaths);
    for (const ScalarPtr& video : items(column("videos", row))) {
      const bool bare = video && arrow::is_base_binary_like(video->type->id());
      const ScalarPtr named = bare ? video : member(video, "video");
      if (named && arrow::is_list_like(named->type->id())) throw std::invalid_argument("a video is a list of frames; only video files are read");
      VideoFile file{videoPath(text(named), fs::path(m_file).parent_path().string()), {}};
      const auto option = [&](const char* name) {
        const ScalarPtr value = bare ? nullptr : member(video, name);
        return value ? number(value, name) : 0.0;
      };
      file.options.fps = option("fps");
      file.options.frames = static_cast<int>(option("nframes"));
      file.options.minFrames = static_cast<int>(option("min_frames"));
      file.options.maxFrames = static_cast<int>(option("max_frames"));
      sample.videos.push_back(std::move(file));
    }
    for (const ScalarPtr& box : items(column("evidence", row))) {
      PixelBox out;
      out.image = static_cast<int>(number(member(box, "image"), "image"));
      out.x = static_cast<float>(number(member(box, "x"), "x"));
      out.y = static_cast<float>(number(member(box, "y"), "y"));
      out.width = static_cast<float>(number(member(box, "w"), "w"));
      out.height = static_cast<float>(number(member(box, "h"), "h"));
      out.label = text(member(box, "label"));
      if (text(member(box, "kind")) == "crop") sample.crops.push_back(out);
      sample.evidence.push_back(out);
    }
    for (const auto& field : m_table->schema()->fields()) {
      if (!arrow::is_string(field->type()->id()) || field->name() == "prompt" || field->name() == "teacher_prompt") continue;
      if (const std::string value = text(column(field->name().c_str(), row)); !value.empty()) sample.texts[field->name()] = value;
    }
    return sample;
  }

  std::string m_file;
  mutable ParquetGroups m_groups;
  mutable std::shared_ptr<arrow::Table> m_table;  // of the row that is read
};

std::shared_ptr<arrow::DataType> turnType() { return arrow::struct_({arrow::field("role", arrow::utf8()), arrow::field("content", arrow::utf8())}); }

std::shared_ptr<arrow::DataType> boxType(bool kinds) {
  arrow::FieldVector fields = {arrow::field("image", arrow::int32()), arrow::field("x", arrow::float32()), arrow::field("y", arrow::float32()),
                               arrow::field("w", arrow::float32()),   arrow::field("h", arrow::float32()), arrow::field("label", arrow::utf8())};
  if (kinds) fields.push_back(arrow::field("kind", arrow::utf8()));
  return arrow::struct_(fields);
}

bool isCrop(const Sample& s, const PixelBox& b) {
  return std::any_of(s.crops.begin(), s.crops.end(), [&b](const PixelBox& c) { return c.image == b.image && c.x == b.x && c.y == b.y && c.width == b.width && c.height == b.height; });
}

// Columns are built row by row through Arrow's generic builder of the schema.
class Writer {
 public:
  /// `kinds`: evidence says what is a crop. `videos`, `teachers`: there is a column for videos, for pictures that the teacher alone sees.
  Writer(bool kinds, bool videos, bool teachers) : m_kinds(kinds), m_videos(videos), m_teachers(teachers) {
    const auto turn = turnType();
    const auto image = arrow::struct_({arrow::field("bytes", arrow::binary()), arrow::field("path", arrow::utf8())});
    const auto box = boxType(kinds);
    const auto reward = arrow::struct_({arrow::field("style", arrow::utf8()), arrow::field("ground_truth", arrow::utf8())});
    const auto extra = arrow::struct_({arrow::field("index", arrow::int64()), arrow::field("split", arrow::utf8()), arrow::field("answer", arrow::utf8()),
                                       arrow::field("question", arrow::utf8())});
    schema = arrow::schema({arrow::field("id", arrow::utf8()), arrow::field("data_source", arrow::utf8()), arrow::field("prompt", arrow::list(turn)),
                            arrow::field("teacher_prompt", arrow::list(turn)), arrow::field("images", arrow::list(image)),
                            arrow::field("reward_model", reward), arrow::field("ability", arrow::utf8()), arrow::field("extra_info", extra),
                            arrow::field("hint", arrow::utf8()), arrow::field("cue", arrow::utf8()), arrow::field("evidence", arrow::list(box)),
                            arrow::field("kind", arrow::utf8()), arrow::field("layout", arrow::utf8())});
    if (videos) {
      const auto video = arrow::struct_({arrow::field("video", arrow::utf8()), arrow::field("fps", arrow::float64()), arrow::field("nframes", arrow::int32()),
                                         arrow::field("min_frames", arrow::int32()), arrow::field("max_frames", arrow::int32())});
      schema = *schema->AddField(schema->num_fields(), arrow::field("videos", arrow::list(video)));
    }
    if (teachers) schema = *schema->AddField(schema->num_fields(), arrow::field("teacher_images", arrow::list(image)));
    for (const auto& f : schema->fields()) {
      std::unique_ptr<arrow::ArrayBuilder> builder;
      fail(arrow::MakeBuilder(arrow::default_memory_pool(), f->type(), &builder));
      m_builders.push_back(std::move(builder));
    }
  }

  void add(const Sample& s) {
    addText(top(0), s.id);
    addText(top(1), s.dataSource);
    addTurns(top(2), s.prompt);
    addTurns(top(3), s.teacherTurns);
    addPictures(top(4), s.imageBytes, s.imagePaths);
    auto& reward = open<arrow::StructBuilder>(top(5));
    addText(reward.field_builder(0), s.rewardStyle);
    addText(reward.field_builder(1), s.groundTruth);
    addText(top(6), s.ability);
    auto& extra = open<arrow::StructBuilder>(top(7));
    fail(as<arrow::Int64Builder>(extra.field_builder(0)).Append(s.index));
    addText(extra.field_builder(1), s.split);
    addText(extra.field_builder(2), s.answer);
    addText(extra.field_builder(3), s.question);
    addText(top(8), s.hint);
    addText(top(9), s.cue);
    addBoxes(top(10), s, m_kinds);
    addText(top(11), s.kind);
    addText(top(12), s.layout);
    if (m_videos) addVideos(top(13), s);
    if (m_teachers) addPictures(m_builders.back().get(), s.teacherImageBytes, s.teacherImagePaths);
  }

  static void addPictures(arrow::ArrayBuilder* builder, const std::vector<std::vector<std::uint8_t>>& stored, const std::vector<std::string>& paths) {
    auto& images = open<arrow::ListBuilder>(builder);
    auto& image = as<arrow::StructBuilder>(images.value_builder());
    for (std::size_t i = 0; i < stored.size(); ++i) {
      fail(image.Append());
      auto& bytes = as<arrow::BinaryBuilder>(image.field_builder(0));
      fail(stored[i].empty() ? bytes.AppendNull() : bytes.Append(stored[i].data(), static_cast<std::int32_t>(stored[i].size())));
      addText(image.field_builder(1), i < paths.size() ? paths[i] : std::string());
    }
  }
  static void addVideos(arrow::ArrayBuilder* builder, const Sample& s) {
    auto& videos = open<arrow::ListBuilder>(builder);
    auto& video = as<arrow::StructBuilder>(videos.value_builder());
    for (const VideoFile& v : s.videos) {
      fail(video.Append());
      addText(video.field_builder(0), v.path);
      auto& fps = as<arrow::DoubleBuilder>(video.field_builder(1));
      fail(v.options.fps > 0 ? fps.Append(v.options.fps) : fps.AppendNull());
      const int counts[3] = {v.options.frames, v.options.minFrames, v.options.maxFrames};
      for (int k = 0; k < 3; ++k) {
        auto& count = as<arrow::Int32Builder>(video.field_builder(k + 2));
        fail(counts[k] > 0 ? count.Append(counts[k]) : count.AppendNull());
      }
    }
  }

  std::shared_ptr<arrow::Table> finish() {
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (auto& builder : m_builders) {
      arrays.emplace_back();
      fail(builder->Finish(&arrays.back()));
    }
    return arrow::Table::Make(schema, arrays);
  }

  std::shared_ptr<arrow::Schema> schema;

  static void fail(const arrow::Status& status) {
    if (!status.ok()) throw std::runtime_error(status.message());
  }
  static void addBoxes(arrow::ArrayBuilder* builder, const Sample& s, bool kinds) {
    auto& boxes = open<arrow::ListBuilder>(builder);
    auto& box = as<arrow::StructBuilder>(boxes.value_builder());
    for (const PixelBox& b : s.evidence) {
      fail(box.Append());
      fail(as<arrow::Int32Builder>(box.field_builder(0)).Append(b.image));
      const float values[4] = {b.x, b.y, b.width, b.height};
      for (int k = 0; k < 4; ++k) fail(as<arrow::FloatBuilder>(box.field_builder(k + 1)).Append(values[k]));
      addText(box.field_builder(5), b.label);
      if (kinds) addText(box.field_builder(6), isCrop(s, b) ? "crop" : "box");
    }
  }
  // Empty text is null: «there is no cue».
  static void addText(arrow::ArrayBuilder* builder, const std::string& value) {
    auto& b = as<arrow::StringBuilder>(builder);
    fail(value.empty() ? b.AppendNull() : b.Append(value));
  }
  static void addTurns(arrow::ArrayBuilder* builder, const std::vector<Turn>& turns) {
    auto& list = as<arrow::ListBuilder>(builder);
    if (turns.empty()) {
      fail(list.AppendNull());
      return;
    }
    fail(list.Append());
    auto& turn = as<arrow::StructBuilder>(list.value_builder());
    for (const Turn& t : turns) {
      fail(turn.Append());
      addText(turn.field_builder(0), t.role);
      addText(turn.field_builder(1), t.text);
    }
  }

 private:
  arrow::ArrayBuilder* top(std::size_t i) { return m_builders[i].get(); }
  template <typename B>
  static B& as(arrow::ArrayBuilder* builder) {
    return static_cast<B&>(*builder);
  }
  template <typename B>
  static B& open(arrow::ArrayBuilder* builder) {
    B& b = as<B>(builder);
    fail(b.Append());
    return b;
  }
  bool m_kinds, m_videos, m_teachers;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> m_builders;
};

}  // namespace

bool haveParquet() { return true; }

std::shared_ptr<DatasetFile> openParquet(const std::string& file, std::int64_t keptBytes) { return std::make_shared<ParquetFile>(file, keptBytes); }

void writeParquet(const std::string& file, const std::vector<Sample>& samples, std::int64_t rowsPerGroup) {
  constexpr const char* kWhat = "The parquet file could not be written";
  const std::string part = file + ".part";
  try {
    Writer writer(std::any_of(samples.begin(), samples.end(), [](const Sample& s) { return !s.crops.empty(); }),
                  std::any_of(samples.begin(), samples.end(), [](const Sample& s) { return !s.videos.empty(); }),
                  std::any_of(samples.begin(), samples.end(), [](const Sample& s) { return s.hasTeacherPictures(); }));
    for (const Sample& sample : samples) writer.add(sample);
    auto sink = arrow::io::FileOutputStream::Open(part);
    check(sink.status(), file, kWhat);
    const auto properties = parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
    const auto arrowProperties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    check(parquet::arrow::WriteTable(*writer.finish(), arrow::default_memory_pool(), *sink, rowsPerGroup, properties, arrowProperties), file, kWhat);
    check((*sink)->Close(), file, kWhat);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(kWhat, file, error.what());
  }
  fs::rename(part, file);
}

void exportParquet(const std::string& file, const std::string& output, bool teacherPrompt, const std::function<Sample(std::int64_t)>& read,
                   const std::function<std::string(std::int64_t)>& provenance) {
  constexpr const char* kWhat = "The parquet file could not be written";
  try {
    parquet::arrow::FileReaderBuilder builder;
    std::unique_ptr<parquet::arrow::FileReader> reader;
    check(builder.OpenFile(file), file, kWhat);
    check(builder.Build(&reader), file, kWhat);
    auto sink = arrow::io::FileOutputStream::Open(output);
    check(sink.status(), output, kWhat);
    std::unique_ptr<parquet::arrow::FileWriter> writer;
    std::int64_t row = 0;
    for (int group = 0; group < reader->num_row_groups(); ++group) {
      const auto table = reader->ReadRowGroup(group);
      check(table.status(), file, kWhat);
      std::vector<std::pair<std::string, std::unique_ptr<arrow::ArrayBuilder>>> columns;
      const auto add = [&](const char* name, const std::shared_ptr<arrow::DataType>& type) {
        std::unique_ptr<arrow::ArrayBuilder> column;
        check(arrow::MakeBuilder(arrow::default_memory_pool(), type, &column), output, kWhat);
        columns.emplace_back(name, std::move(column));
        return columns.back().second.get();
      };
      arrow::ArrayBuilder *cues = add("cue", arrow::utf8()), *evidence = add("evidence", arrow::list(boxType(true))), *said = add("cue_provenance", arrow::utf8());
      arrow::ArrayBuilder* prompts = teacherPrompt ? add("teacher_prompt", arrow::list(turnType())) : nullptr;
      for (const std::int64_t end = row + (*table)->num_rows(); row < end; ++row) {
        const Sample sample = read(row);
        Writer::addText(cues, sample.cue);
        Writer::addBoxes(evidence, sample, true);
        Writer::addText(said, provenance(row));
        if (prompts) Writer::addTurns(prompts, sample.teacherTurns);
      }
      std::shared_ptr<arrow::Table> changed = *table;
      for (auto& [name, column] : columns) {
        std::shared_ptr<arrow::Array> values;
        check(column->Finish(&values), output, kWhat);
        const auto field = arrow::field(name, values->type());
        const auto chunked = std::make_shared<arrow::ChunkedArray>(values);
        const int at = changed->schema()->GetFieldIndex(name);
        auto next = at < 0 ? changed->AddColumn(changed->num_columns(), field, chunked) : changed->SetColumn(at, field, chunked);
        check(next.status(), output, kWhat);
        changed = *next;
      }
      if (const auto said = changed->schema()->metadata(); said && said->Contains("huggingface")) {
        const auto kept = said->Copy();  // it lists the columns with their types, and they are others now
        check(kept->Delete("huggingface"), output, kWhat);
        changed = changed->ReplaceSchemaMetadata(kept);
      }
      if (!writer) {
        const auto properties = parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
        const auto arrowProperties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
        auto opened = parquet::arrow::FileWriter::Open(*changed->schema(), arrow::default_memory_pool(), *sink, properties, arrowProperties);
        check(opened.status(), output, kWhat);
        writer = std::move(*opened);
      }
      check(writer->WriteTable(*changed, std::max<std::int64_t>(1, changed->num_rows())), output, kWhat);
    }
    if (writer) check(writer->Close(), output, kWhat);
    check((*sink)->Close(), output, kWhat);
  } catch (const Error&) {
    throw;
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(kWhat, output, error.what());
  }
}

}  // namespace cuescope
