// Sizes, sampling and patches against the recorded tables and tensors.
#include "tests/support/golden.h"

#include <QtTest>

#include "engine/core/failure.h"
#include "engine/data/resize.h"

using namespace cuescope;
using nlohmann::json;

class ResizeTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void imageSizesAreTheRecordedOnes();
  void videoSizesAreTheRecordedOnes();
  void sampledFramesAreTheRecordedOnes();
  void timestampsRepeatTheLastFrameOfAnOddCount();
  void patchesOfDecodedPixelsAreTheRecordedOnes_data();
  void patchesOfDecodedPixelsAreTheRecordedOnes();
  void thePictureWithPublishedLimitsIsEnlarged();
  void anOddFrameIsRepeatedInThePatches();

 private:
  golden::Set m_set{"preprocess"};
};

void ResizeTest::imageSizesAreTheRecordedOnes() {
  const auto& table = m_set.manifest()["smart_resize"]["image"];
  QCOMPARE(table.size(), 200u);
  for (const auto& row : table) {
    json got;
    try {
      const auto size = smartResize(row["h"], row["w"], row["factor"], row["min_pixels"], row["max_pixels"]);
      got = {size.height, size.width};
    } catch (const Error&) {
      got = "refused";
    }
    const json want = row["out"].is_array() ? row["out"] : json("refused");
    QVERIFY2(got == want, (row.dump() + " gave " + got.dump()).c_str());
  }
  QVERIFY_EXCEPTION_THROWN(smartResize(0, 5, 32, 1, 2), Error);
}

void ResizeTest::videoSizesAreTheRecordedOnes() {
  const auto& table = m_set.manifest()["smart_resize"]["video"];
  QCOMPARE(table.size(), 80u);
  for (const auto& row : table) {
    json got;
    try {
      const auto size = smartResizeVideo(row["frames"], row["h"], row["w"], row["factor"], row["temporal_factor"],
                                         row["min_pixels"], row["max_pixels"]);
      got = {size.height, size.width};
    } catch (const Error&) {
      got = "refused";
    }
    const json want = row["out"].is_array() ? row["out"] : json("refused");
    QVERIFY2(got == want, (row.dump() + " gave " + got.dump()).c_str());
  }
}

void ResizeTest::sampledFramesAreTheRecordedOnes() {
  const auto& sampling = m_set.manifest()["frame_sampling"];
  QCOMPARE(sampling["table"].size(), 42u);
  for (const auto& row : sampling["table"]) {
    const auto got = sampleFrames(row["total_frames"], row["video_fps"], row["sample_fps"], 4, 768);
    QCOMPARE(json(got.size()), row["count"]);
    const auto& want = row["indices"];
    // A null stands for indices left out of a long list.
    std::size_t gap = want.size();
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (want[i].is_null()) gap = i;
    }
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (i == gap) continue;
      const std::size_t at = i < gap ? i : got.size() - (want.size() - i);
      QVERIFY2(want[i] == got[at], row.dump().c_str());
    }
  }
}

void ResizeTest::timestampsRepeatTheLastFrameOfAnOddCount() {
  for (const auto& sample : m_set.manifest()["video"]["samples"]) {
    const auto got = groupTimestamps(sample["frame_indices"], 6.0, 2);
    QVERIFY2(json(got) == sample["timestamps"], sample.dump().c_str());
  }
}

void ResizeTest::patchesOfDecodedPixelsAreTheRecordedOnes_data() {
  QTest::addColumn<QString>("name");
  for (const char* name :
       {"square", "odd", "extreme", "small", "gray", "rgba", "palette", "photo", "exif_rotated", "gray16"}) {
    QTest::newRow(name) << name;
  }
}

void ResizeTest::patchesOfDecodedPixelsAreTheRecordedOnes() {
  QFETCH(QString, name);
  const std::string prefix = "image." + name.toStdString() + ".";
  const auto patchesOf = [&](const std::string& rgb) {
    const auto& pixels = m_set[prefix + rgb];
    const auto resized = resizeBicubic(pixels, smartResize(pixels.size(0), pixels.size(1), 32, 4096, 9216));
    const auto grid = at::tensor({std::int64_t{1}, resized.size(0) / 16, resized.size(1) / 16}, at::kLong).unsqueeze(0);
    std::string message;
    if (!m_set.close(prefix + "grid_thw", grid, &message)) throw std::runtime_error(message);
    return cutPatches({resized}, {});
  };
  std::string message;
  QVERIFY2(m_set.close(prefix + "pixel_values", patchesOf("rgb"), &message), message.c_str());
  if (m_set.has(prefix + "pixel_values_pil")) {
    QVERIFY2(m_set.close(prefix + "pixel_values_pil", patchesOf("rgb"), &message), message.c_str());
  }
  if (m_set.has(prefix + "pixel_values_scaled")) {
    QVERIFY2(m_set.close(prefix + "pixel_values_scaled", patchesOf("rgb_scaled"), &message), message.c_str());
  }
}

void ResizeTest::thePictureWithPublishedLimitsIsEnlarged() {
  const auto& pixels = m_set["image.odd.rgb"];
  const auto resized = resizeBicubic(pixels, smartResize(131, 97, 32, 65536, 16777216));
  const auto rows = m_set["image.odd.published_limits.rows"];
  std::string message;
  const auto grid = at::tensor({std::int64_t{1}, resized.size(0) / 16, resized.size(1) / 16}, at::kLong).unsqueeze(0);
  QVERIFY2(m_set.close("image.odd.published_limits.grid_thw", grid, &message), message.c_str());
  QVERIFY2(
      m_set.close("image.odd.published_limits.pixel_values", cutPatches({resized}, {}).index_select(0, rows), &message),
      message.c_str());
}

void ResizeTest::anOddFrameIsRepeatedInThePatches() {
  const auto frames = m_set["video.frames"];
  const auto size = smartResizeVideo(5, 40, 56, 32, 2, 4096, 65536);
  std::vector<at::Tensor> chosen;
  for (const int i : {0, 3, 6, 10, 13}) chosen.push_back(resizeBicubic(frames[i], size));
  std::string message;
  QVERIFY2(m_set.close("video.frames5.pixel_values_videos", cutPatches(chosen, {}), &message), message.c_str());
}

QTEST_GUILESS_MAIN(ResizeTest)
#include "tst_resize.moc"
