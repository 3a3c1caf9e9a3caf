#include "engine/evaluate/bench_workload.h"

#include "engine/core/failure.h"
#include "engine/model/safetensors.h"

namespace cuescope {
namespace {

std::vector<std::int64_t> validIds(const at::Tensor& ids, const at::Tensor& mask, std::int64_t row) {
  std::vector<std::int64_t> out;
  const std::int64_t width = ids.size(1);
  const auto* id = ids.const_data_ptr<std::int64_t>() + row * width;
  const auto* valid = mask.const_data_ptr<std::int64_t>() + row * width;
  for (std::int64_t c = 0; c < width; ++c)
    if (valid[c]) out.push_back(id[c]);
  return out;
}

}  // namespace

BenchWorkload readBenchWorkload(const std::string& file) {
  const Safetensors source = Safetensors::open(file);
  const auto whole = [&](const char* name) { return source.read(name).to(at::kLong).contiguous(); };
  const at::Tensor ids = whole("input_ids"), mask = whole("attention_mask"), grids = whole("image_grid_thw");
  const at::Tensor teacherIds = whole("teacher_ids"), teacherMask = whole("teacher_mask");
  const at::Tensor pixels = source.read("pixel_values").to(at::kFloat);
  BenchWorkload out;
  out.responses = whole("response_ids");
  const std::int64_t rows = ids.dim() == 2 ? ids.size(0) : 0;
  const bool fits = rows > 0 && mask.sizes() == ids.sizes() && grids.dim() == 2 && grids.size(0) == rows && grids.size(1) == 3 &&
                    teacherIds.dim() == 2 && teacherIds.size(0) == rows && teacherMask.sizes() == teacherIds.sizes() &&
                    out.responses.dim() == 2 && out.responses.size(0) == rows && out.responses.size(1) > 0 && pixels.dim() == 2 &&
                    pixels.size(0) == grids.prod(1).sum().item<std::int64_t>();
  if (!fits) throw Error("This workload cannot be measured", file, "its tensors do not fit each other", "Make it again.");
  std::int64_t patch = 0;
  for (std::int64_t b = 0; b < rows; ++b) {
    RowInput row;
    row.ids = validIds(ids, mask, b);
    const auto n = [&](int axis) { return grids[b][axis].item<std::int64_t>(); };
    row.grids = {{n(0), n(1), n(2), false}};
    const std::int64_t patches = n(0) * n(1) * n(2);
    row.pixelValues = pixels.narrow(0, patch, patches);
    patch += patches;
    RowInput teacher = row;
    teacher.ids = validIds(teacherIds, teacherMask, b);
    out.prompts.push_back(std::move(row));
    out.teacherRows.push_back(std::move(teacher));
  }
  return out;
}

}  // namespace cuescope
