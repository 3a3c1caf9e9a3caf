// The ruler itself: golden sets are read, and a comparison that should fail does.
#include "tests/support/golden.h"

#include <QtTest>

class GoldenTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everySetIsReadAndEqualsItself();
  void aDifferenceAboveTheToleranceIsNamed();
  void maskedRowsAreLeftOut();
  void nanAgreesWithNanOnly();
};

void GoldenTest::everySetIsReadAndEqualsItself() {
  for (const char* name :
       {"preprocess", "forward-student", "forward-student-vicur", "forward-teacher", "losses", "train_step"}) {
    const golden::Set set(name);
    QCOMPARE(set.names().size(), set.manifest()["tensors"].size());
    for (const auto& tensor : set.names()) {
      std::string message;
      QVERIFY2(set.close(tensor, set[tensor].clone(), &message), message.c_str());
    }
  }
}

void GoldenTest::aDifferenceAboveTheToleranceIsNamed() {
  const golden::Set set("preprocess");
  auto got = set["image.odd.pixel_values"].clone();
  got[3][7] += 1e-5;
  std::string message;
  QVERIFY(!set.close("image.odd.pixel_values", got, &message));
  QVERIFY2(message.find("flat index 4615") != std::string::npos, message.c_str());
  QVERIFY(!set.close("image.odd.pixel_values", got.slice(0, 1), &message));
  QVERIFY2(message.find("shape") != std::string::npos, message.c_str());
  QVERIFY(!set.close("image.odd.pixel_values", {}, &message));
}

void GoldenTest::maskedRowsAreLeftOut() {
  const auto want = at::arange(12, at::kFloat).reshape({2, 3, 2});
  auto got = want.clone();
  got[1][2] = 100;
  auto mask = at::ones({2, 3}, at::kLong);
  std::string message;
  QVERIFY(!golden::compare("t", got, want, {1e-6, 0}, &message, mask));
  mask[1][2] = 0;
  QVERIFY(golden::compare("t", got, want, {1e-6, 0}, &message, mask));
}

void GoldenTest::nanAgreesWithNanOnly() {
  const auto nan = at::full({2}, std::nan("")), zero = at::zeros({2});
  std::string message;
  QVERIFY(golden::compare("t", nan, nan, {}, &message));
  QVERIFY(!golden::compare("t", nan, zero, {1, 1}, &message));
  QVERIFY(!golden::compare("t", zero, nan, {1, 1}, &message));
  const auto infinite = at::full({2}, -INFINITY);
  QVERIFY(golden::compare("t", infinite, infinite, {}, &message));
  QVERIFY(!golden::compare("t", zero, infinite, {1, 1}, &message));
}

QTEST_GUILESS_MAIN(GoldenTest)
#include "tst_golden.moc"
