// The tiny golden student and teacher with their processors: a base of tests that look at them. Header only; include before Qt headers.
#pragma once

#include <ATen/Parallel.h>

#include <memory>

#include "engine/data/processor.h"
#include "engine/inspect/inspector.h"
#include "engine/model/qwen3_vl.h"
#include "tests/support/golden.h"

namespace cuescope::test {

struct TinyModels {
  std::shared_ptr<Qwen3VL> m_student, m_teacher;
  std::unique_ptr<Processor> m_studentProcessor, m_teacherProcessor;

  /// On one thread, so that sums have one order.
  void loadTinyModels() {
    at::set_num_threads(1);
    m_student = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    m_teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
    m_studentProcessor = std::make_unique<Processor>(golden::path("tiny-student-vicur"));
    m_teacherProcessor = std::make_unique<Processor>(golden::path("tiny-teacher"));
  }
  InspectModels tinyModels(bool teacher) const {
    InspectModels all;
    all.student = m_student.get();
    all.studentProcessor = m_studentProcessor.get();
    if (teacher) {
      all.teacher = m_teacher.get();
      all.teacherProcessor = m_teacherProcessor.get();
    }
    return all;
  }
};

}  // namespace cuescope::test
