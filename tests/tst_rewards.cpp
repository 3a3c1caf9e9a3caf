// Answers out of boxes, equality of answers, and the two parts of a reward.
#include <QtTest/QtTest>

#include "engine/distill/rewards.h"

using namespace cuescope;

class TestRewards : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theLastCompleteBoxIsTheAnswer() {
    QCOMPARE(lastBoxed("so \\boxed{3} or rather \\boxed{ 4 }.").value_or("-"), std::string("4"));
    QCOMPARE(lastBoxed("\\boxed{\\frac{1}{2}} and then \\boxed{unfinished").value_or("-"), std::string("\\frac{1}{2}"));
    QCOMPARE(lastBoxed("\\boxed{a \\} b}").value_or("-"), std::string("a \\} b"));
    QCOMPARE(lastBoxed("\\boxed{}").value_or("-"), std::string());
    QVERIFY(!lastBoxed("no box").has_value());
    QVERIFY(!lastBoxed("\\boxed{").has_value());
  }

  void equalAnswers_data() {
    QTest::addColumn<QString>("answer");
    QTest::addColumn<QString>("truth");
    QTest::addColumn<bool>("same");
    auto row = [](const char* a, const char* b, bool same) { QTest::newRow((std::string(a) + " = " + b).c_str()) << QString(a) << QString(b) << same; };
    row("red", "Red", true);
    row("red", "blue", false);
    row("the red circle", "the  red circle.", true);
    row("\\text{northwest}", "northwest", true);
    row("3", "3.0", true);
    row("0.75", "\\frac{3}{4}", true);
    row("-\\dfrac{3}{4}", "-0.75", true);
    row("3/4", "0.75", true);
    row("1,234", "1234", true);
    row("1,23", "123", false);
    row("50\\%", "50", true);
    row("90^\\circ", "90", true);
    row("2\\sqrt{3}", "2\\sqrt{3}", true);
    row("2\\sqrt{3}", "2\\sqrt{5}", false);
    row("3", "4", false);
    row("3.0000001", "3", true);
    row("3.001", "3", false);
    row("nan", "nan1", false);
    row("inf", "1e999", false);
    row("", "", false);
    row("1/0", "1/0.0", false);
    row("5 cm", "5", true);
    row("5", "5\\text{ cm}", true);
    row("5 cm", "5 centimeters", true);
    row("5 cm", "5 m", false);
    row("6 cm", "5", false);
    row("12 cm^2", "12", true);
    row("1,200 square units", "1200", true);
    row("\\frac{3}{4} km", "0.75", true);
    row("45 degrees", "45^\\circ", true);
    row("3m", "3m+1", false);
    row("m", "5 m", false);
    row("0.5", "50%", true);
    row("50 percent", "50", true);
    row("A", "(A)", true);
    row("A. 12", "A", true);
    row("(A) 12", "A", true);
    row("B", "(A) 12", false);
    row("A. 12", "A. 13", false);
    row("A. 12", "12", true);
    row("A. 12", "13", false);
    row("a", "b", false);
    row("a red circle", "a", false);
  }
  void equalAnswers() {
    QFETCH(QString, answer);
    QFETCH(QString, truth);
    QFETCH(bool, same);
    QCOMPARE(sameAnswer(answer.toStdString(), truth.toStdString()), same);
  }

  void anExactRowTakesTheTextAsItIs() {
    QCOMPARE(judge("\\boxed{ Red }", "Red", false, "exact").accuracy, 1.0);
    QCOMPARE(judge("\\boxed{red}", "Red", false, "exact").accuracy, 0.0);
    QCOMPARE(judge("\\boxed{3.0}", "3", false, "exact").accuracy, 0.0);
    QCOMPARE(judge("\\boxed{3.0}", "3", false, "rule").accuracy, 1.0);
    QCOMPARE(judge("\\boxed{}", "", false, "exact").accuracy, 0.0);
  }

  void accuracyAndFormatAreSeparate() {
    Reward right = judge("digit four northwest red. \\boxed{red}", "red", false);
    QCOMPARE(right.accuracy, 1.0);
    QCOMPARE(right.format, 1.0);
    QCOMPARE(right.score, 1.0);
    Reward wrong = judge("\\boxed{blue}.", "red", false);
    QCOMPARE(wrong.accuracy, 0.0);
    QCOMPARE(wrong.format, 1.0);
    QCOMPARE(wrong.score, 0.1);
    Reward rambling = judge("\\boxed{red} and then it goes on", "red", false);
    QCOMPARE(rambling.accuracy, 1.0);
    QCOMPARE(rambling.format, 0.0);
    QCOMPARE(judge("red", "red", false).score, 0.0);
    QCOMPARE(judge("<think>so</think> \\boxed{red}", "red", true).format, 1.0);
    QCOMPARE(judge("<think>\\boxed{red}</think>", "red", true).format, 0.0);
    QCOMPARE(judge("\\boxed{red}", "red", true).format, 0.0);
    QCOMPARE(judge("\\boxed{red}", "red", true).accuracy, 1.0);
  }
};

QTEST_GUILESS_MAIN(TestRewards)
#include "tst_rewards.moc"
