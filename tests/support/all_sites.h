// The student with its cue module and a request for every site of an inspection, for the tests of sites. Header only; include before
// Qt headers.
#pragma once

#include <ATen/Parallel.h>

#include <memory>

#include "engine/inspect/inspector.h"
#include "tests/support/golden.h"

namespace cuescope::test {

class AllSites {
 protected:
  std::shared_ptr<Qwen3VL> m_student;
  std::unique_ptr<Processor> m_processor;

  InspectModels models() const {
    InspectModels all;
    all.student = m_student.get();
    all.studentProcessor = m_processor.get();
    return all;
  }
  /// Every site, over a picture of 3 x 2 visual tokens.
  InspectRequest everything() const {
    InspectRequest ask;
    ask.id = 3;
    ask.images = {golden::path("images/photo.jpg")};
    ask.question = "What is the side length?";
    ask.responseIds = {48, 1003, 487, 891, 1053};
    for (int i = 0; i < kSites; ++i) ask.sites.insert(static_cast<Site>(i));
    ask.lensMap = true;
    return ask;
  }
  void load() {
    at::set_num_threads(1);
    m_student = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    m_processor = std::make_unique<Processor>(golden::path("tiny-student-vicur"));
  }
};

}  // namespace cuescope::test
