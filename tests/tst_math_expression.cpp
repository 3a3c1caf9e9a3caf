// Answers as mathematics: what is equal, what is not, what is no expression.
#include <QtTest>

#include <cmath>

#include "engine/distill/math_expression.h"

using namespace cuescope;

class MathExpressionTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void equalAnswersAreEqual_data();
  void equalAnswersAreEqual();
  void differentAnswersAreNot_data();
  void differentAnswersAreNot();
  void whatIsNoExpressionIsNotRead();
  void nestingIsBounded();
  void precedenceIsThatOfMathematics();
};

void MathExpressionTest::equalAnswersAreEqual_data() {
  QTest::addColumn<QString>("a");
  QTest::addColumn<QString>("b");
  const std::pair<const char*, const char*> rows[] = {
      {"3", "3.0"}, {"1,200", "1200"}, {"1,234,567.5", "1234567.5"}, {"3/4", "0.75"}, {"\\frac{3}{4}", "3/4"}, {"\\frac34", "0.75"},
      {"-\\frac{1}{2}", "-0.5"}, {"1 \\frac{1}{2}", "1.5"}, {"2\\sqrt{3}", "\\sqrt{12}"}, {"\\sqrt[3]{27}", "3"}, {"2\\pi", "6.283185307"},
      {"\\frac{\\sqrt{2}}{2}", "1/\\sqrt{2}"}, {"50\\%", "0.5"}, {"x = 3", "3"}, {"x+1", "1+x"}, {"(x+1)^2", "x^2+2x+1"}, {"2x", "x\\cdot 2"},
      {"\\frac{a+b}{2}", "0.5a+0.5b"}, {"(1, 2)", "(1.0, \\frac{4}{2})"}, {"\\{2, 1\\}", "\\{1,2\\}"}, {"[0, 1)", "[0,1)"}, {"1, 2", "2, 1"},
      {"2^{10}", "1024"}, {"-2^2", "-4"}, {"\\sin(0)", "0"}, {"10 \\div 4", "2.5"}, {"2 \\times 3", "6"}, {"2xy", "2yx"}, {"\\pi r^2", "r^2\\pi"}, {"3\xcf\x80", "3\\pi"}};
  for (const auto& [a, b] : rows) QTest::addRow("%s ~ %s", a, b) << a << b;
}

void MathExpressionTest::equalAnswersAreEqual() {
  QFETCH(QString, a);
  QFETCH(QString, b);
  QVERIFY(sameMathematics(a.toStdString(), b.toStdString()));
  QVERIFY(sameMathematics(b.toStdString(), a.toStdString()));
}

void MathExpressionTest::differentAnswersAreNot_data() {
  QTest::addColumn<QString>("a");
  QTest::addColumn<QString>("b");
  const std::pair<const char*, const char*> rows[] = {
      {"3", "4"}, {"(1, 2)", "(2, 1)"}, {"[0, 1)", "[0, 1]"}, {"x", "y"}, {"x^2", "2x"}, {"1,2", "12"}, {"0.333", "1/3"}, {"\\{1\\}", "\\{1, 2\\}"},
      {"1/0", "1/0"}, {"x = 3", "x = 4"}, {"50\\%", "50"}, {"", ""}, {"star", "rats"}, {"no", "on"}, {"nan", "nan1"}, {"2 red", "2 der"}};
  for (const auto& [a, b] : rows) QTest::addRow("%s !~ %s", a, b) << a << b;
}

void MathExpressionTest::differentAnswersAreNot() {
  QFETCH(QString, a);
  QFETCH(QString, b);
  QVERIFY(!sameMathematics(a.toStdString(), b.toStdString()));
}

void MathExpressionTest::whatIsNoExpressionIsNotRead() {
  for (const char* text : {"", "+", "3+", "(1", "1)", "\\frac{1}", "\\foo", "x_1", "..", "3 4)", "^2", "{", "\\sqrt"})
    QVERIFY2(!MathExpression::parse(text), text);
}

void MathExpressionTest::nestingIsBounded() {
  QVERIFY(MathExpression::parse(std::string(50, '(') + "1" + std::string(50, ')')));
  QVERIFY(!MathExpression::parse(std::string(100000, '(') + "1" + std::string(100000, ')')));
  QVERIFY(!MathExpression::parse(std::string(100000, '-') + "1"));
}

void MathExpressionTest::precedenceIsThatOfMathematics() {
  const auto value = [](const char* text) { return MathExpression::parse(text)->value(); };
  QCOMPARE(value("1+2*3"), 7.0);
  QCOMPARE(value("8/2/2"), 2.0);
  QCOMPARE(value("2^3^2"), 512.0);
  QCOMPARE(value("-3^2"), -9.0);
  QCOMPARE(value("2^{-1}"), 0.5);
  QCOMPARE(value("10-2-3"), 5.0);
  QCOMPARE(MathExpression::parse("3x")->value({{'x', 2}}), 6.0);
  QVERIFY(std::isnan(MathExpression::parse("3x")->value()));
}

QTEST_GUILESS_MAIN(MathExpressionTest)
#include "tst_math_expression.moc"
