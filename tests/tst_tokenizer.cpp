// The tokenizer against recorded ids and texts (exact), its speed, and files that are not what they should be.
#include <QTemporaryDir>
#include <QtTest>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/utf8.h"

using namespace cuescope;
using nlohmann::ordered_json;

namespace {

std::string golden(const std::string& name) {
  return std::string(CUESCOPE_GOLDEN) + "/" + name;
}

ordered_json readJson(const std::string& file) {
  std::ifstream in(file);
  return ordered_json::parse(in);
}

std::string textOf(const std::vector<std::int64_t>& ids) {
  return ordered_json(ids).dump();
}

/// The text of the Error that `action` throws; empty when it throws none.
template <typename F>
std::string failureOf(F action) {
  try {
    action();
  } catch (const Error& error) {
    return error.failure().text();
  }
  return {};
}

void writeFile(const QString& path, const std::string& text) {
  std::ofstream(path.toStdString(), std::ios::binary) << text;
}

/// A tokenizer.json as large as the real one: 151,643 tokens, of which each merge makes one.
std::string largeTokenizer() {
  auto file = readJson(golden("tiny-student/tokenizer.json"));
  auto& model = file["model"];
  ordered_json vocabulary = ordered_json::object(), merges = ordered_json::array();
  std::vector<std::string> tokens;
  for (const auto& [token, id] : model["vocab"].items()) {
    if (id.get<int>() < 256) tokens.push_back(token);
  }
  for (std::size_t i = 0; tokens.size() < 151643; ++i) {
    tokens.push_back(tokens[i / 256] + tokens[i % 256]);
    merges.push_back(tokens[i / 256] + " " + tokens[i % 256]);
  }
  // Written by hand: a tree of that size takes seconds.
  std::string text = "{";
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    text += (i ? "," : "");
    text += ordered_json(tokens[i]).dump() + ":" + std::to_string(i);
  }
  model.erase("vocab");
  model.erase("merges");
  file["added_tokens"] = ordered_json::array();
  std::string all = file.dump();
  const std::string head = "\"model\":{";
  all.insert(all.find(head) + head.size(), "\"vocab\":" + text + "},\"merges\":" + merges.dump() + ",");
  return all;
}

}  // namespace

class TokenizerTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void recordedTextsGiveTheRecordedIds_data();
  void recordedTextsGiveTheRecordedIds();
  void recordedIdsGiveTheRecordedTexts();
  void chatsRenderAsRecorded_data();
  void chatsRenderAsRecorded();
  void bytesOfIdsJoinToTheText();
  void invalidUtf8BecomesReplacementCharacters();
  void mongolianVowelSeparatorIsNoSpace();
  void aRealVocabularyLoads();
  void longTextsAndEndlessWordsComeBack();
  void brokenFilesAreNamed_data();
  void brokenFilesAreNamed();
  void anUnknownTemplateIsRefusedAtLoad();
  void messagesThatAreNoneAreRefused();

 private:
  std::unique_ptr<Tokenizer> m_student = Tokenizer::load(golden("tiny-student"));
  std::unique_ptr<Tokenizer> m_teacher = Tokenizer::load(golden("tiny-teacher"));
  ordered_json m_cases = readJson(golden("tokenizer_cases.json"));
};

void TokenizerTest::recordedTextsGiveTheRecordedIds_data() {
  QTest::addColumn<int>("index");
  for (int i = 0; i < int(m_cases["encode"].size()); ++i) QTest::addRow("text %d", i) << i;
}

void TokenizerTest::recordedTextsGiveTheRecordedIds() {
  QFETCH(int, index);
  const auto& example = m_cases["encode"][index];
  const auto want = example["ids"].get<std::vector<std::int64_t>>();
  for (const auto* tokenizer : {m_student.get(), m_teacher.get()}) {
    QCOMPARE(textOf(tokenizer->encode(example["text"].get<std::string>())), textOf(want));
    QCOMPARE(tokenizer->decode(want), example["decoded"].get<std::string>());
    QCOMPARE(tokenizer->decode(want, true), example["decoded_skip_special"].get<std::string>());
  }
}

void TokenizerTest::recordedIdsGiveTheRecordedTexts() {
  QCOMPARE(m_cases["decode"].size(), 40u);
  for (const auto& example : m_cases["decode"]) {
    const auto ids = example["ids"].get<std::vector<std::int64_t>>();
    QCOMPARE(m_student->decode(ids), example["decoded"].get<std::string>());
    QCOMPARE(m_student->decode(ids, true), example["decoded_skip_special"].get<std::string>());
  }
}

void TokenizerTest::chatsRenderAsRecorded_data() {
  QTest::addColumn<int>("index");
  for (int i = 0; i < int(m_cases["chat"].size()); ++i) {
    QTest::addRow("%d %s", i, m_cases["chat"][i]["name"].get<std::string>().c_str()) << i;
  }
}

void TokenizerTest::chatsRenderAsRecorded() {
  QFETCH(int, index);
  const auto& example = m_cases["chat"][index];
  const auto& options = example["options"];
  const auto tools = options.contains("tools") ? parseTools(options["tools"].dump()) : std::vector<std::string>{};
  for (const char* folder : {"tiny-student", "tiny-teacher"}) {
    const auto text =
        ChatTemplate::load(golden(folder))
            .render(parseMessages(example["messages"].dump()), options.value("add_generation_prompt", false),
                    options.value("add_vision_id", false), tools);
    QCOMPARE(text, example["text"].get<std::string>());
    QCOMPARE(textOf(m_student->encode(text)), example["ids"].dump());
  }
}

void TokenizerTest::bytesOfIdsJoinToTheText() {
  const std::string text = "<|im_start|>user\nВидишь 3 знака? 面积 😀é<|im_end|>";
  std::string joined;
  for (const auto id : m_student->encode(text)) joined += m_student->bytes(id);
  QCOMPARE(joined, text);
  QCOMPARE(m_student->idOf("<|im_start|>"), 1257);
  QCOMPARE(m_student->idOf("<|no such token|>"), -1);
  QVERIFY(m_student->isSpecial(1257));
  QVERIFY(!m_student->isSpecial(1270));  // <tool_call>
  QCOMPARE(m_student->size(), 1282);
  QCOMPARE(m_student->bytes(100000), std::string());
}

void TokenizerTest::invalidUtf8BecomesReplacementCharacters() {
  const std::string r = "\xEF\xBF\xBD";
  QCOMPARE(replaceInvalidUtf8("a\xFFz"), "a" + r + "z");
  QCOMPARE(replaceInvalidUtf8("\xE2\x82"), r);              // a cut character is one part
  QCOMPARE(replaceInvalidUtf8("\xC0\xAF"), r + r);          // overlong
  QCOMPARE(replaceInvalidUtf8("\xED\xA0\x80"), r + r + r);  // a surrogate
  QCOMPARE(replaceInvalidUtf8("\xF0\x9F\x98"
                              "A"),
           r + "A");
  QCOMPARE(replaceInvalidUtf8("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  QCOMPARE(m_student->encode("a\xFFz"), m_student->encode("a" + r + "z"));
}

void TokenizerTest::mongolianVowelSeparatorIsNoSpace() {
  // As a space it would join the word after it; as a mark it joins the space before it.
  QCOMPARE(m_student->encode("a \u180E b").size(),
           m_student->encode("a").size() + m_student->encode(" \u180E").size() + m_student->encode(" b").size());
  QCOMPARE(textOf(m_student->encode("a\u180Eb")), textOf([&] {
             auto ids = m_student->encode("a");
             for (const auto id : m_student->encode("\u180Eb")) ids.push_back(id);
             return ids;
           }()));
}

void TokenizerTest::aRealVocabularyLoads() {
  QTemporaryDir folder;
  writeFile(folder.filePath("tokenizer.json"), largeTokenizer());
  const auto tokenizer = Tokenizer::load(folder.path().toStdString());
  QCOMPARE(tokenizer->size(), 151643);
  const std::string text = "a real vocabulary";
  QCOMPARE(tokenizer->decode(tokenizer->encode(text)), text);
}

void TokenizerTest::longTextsAndEndlessWordsComeBack() {
  std::string text;
  for (int i = 0; text.size() < 2'000'000; ++i)
    text += "The area of triangle " + std::to_string(i) + " is half the product. ";
  QCOMPARE(m_student->decode(m_student->encode(text)), text);
  // One word without end: were merging quadratic, its 10^11 steps would outlast the time that CTest gives a test.
  for (const std::string& word : {std::string(400'000, 'e'), std::string(400'000, ' ') + "x"}) QCOMPARE(m_student->decode(m_student->encode(word)), word);
}

void TokenizerTest::brokenFilesAreNamed_data() {
  QTest::addColumn<QByteArray>("content");
  QTest::addColumn<QString>("expected");
  const auto whole = readJson(golden("tiny-student/tokenizer.json"));
  const auto changed = [&](const char* pointer, ordered_json value) {
    auto copy = whole;
    copy[ordered_json::json_pointer(pointer)] = std::move(value);
    return QByteArray::fromStdString(copy.dump());
  };
  QTest::newRow("empty") << QByteArray() << "ends too early";
  QTest::newRow("cut") << QByteArray::fromStdString(whole.dump().substr(0, 20000)) << "tokenizer.json";
  QTest::newRow("not JSON") << QByteArray("hello") << "byte 0";
  QTest::newRow("no vocabulary") << changed("/model/vocab", ordered_json::object()) << "no vocabulary";
  QTest::newRow("merge of unknown tokens") << changed("/model/merges", {"zz qq"}) << "merge 0";
  QTest::newRow("merge without parts") << changed("/model/merges", {"zz"}) << "two parts";
  QTest::newRow("id of another world") << changed("/model/vocab/e", 1ll << 40) << "id 1099511627776";
  QTest::newRow("WordPiece") << changed("/model/type", "WordPiece") << "WordPiece";
  QTest::newRow("another normalizer") << changed("/normalizer/type", "NFKC") << "NFKC";
  QTest::newRow("a bad pattern") << changed("/pre_tokenizer/pretokenizers/0/pattern/Regex", "(") << "split pattern";
  QTest::newRow("added token without id") << changed("/added_tokens/0", {{"content", "x"}}) << "id";
}

void TokenizerTest::brokenFilesAreNamed() {
  QFETCH(QByteArray, content);
  QFETCH(QString, expected);
  QTemporaryDir folder;
  writeFile(folder.filePath("tokenizer.json"), content.toStdString());
  const auto message = QString::fromStdString(failureOf([&] { Tokenizer::load(folder.path().toStdString()); }));
  QVERIFY2(message.contains(expected) && message.contains("tokenizer.json"), qPrintable(message));
}

void TokenizerTest::anUnknownTemplateIsRefusedAtLoad() {
  std::ifstream in(golden("tiny-teacher/chat_template.jinja"));
  std::string text(std::istreambuf_iterator<char>(in), {});
  QTemporaryDir folder;
  const auto load = [&] { ChatTemplate::load(folder.path().toStdString()); };
  writeFile(folder.filePath("chat_template.jinja"), text + "\n");
  QCOMPARE(failureOf(load), std::string());
  auto other = text;
  other.replace(other.rfind("im_end"), 6, "im_off");
  writeFile(folder.filePath("chat_template.jinja"), other);
  const auto message = QString::fromStdString(failureOf(load));
  QVERIFY2(message.contains("line ") && message.contains("im_off") && message.contains("chat_template.jinja"),
           qPrintable(message));
  writeFile(folder.filePath("chat_template.jinja"), text.substr(0, text.size() / 2));
  QVERIFY(!failureOf(load).empty());
  writeFile(folder.filePath("chat_template.jinja"), "");
  QVERIFY(!failureOf(load).empty());
  QFile::remove(folder.filePath("chat_template.jinja"));
  writeFile(folder.filePath("chat_template.json"), ordered_json{{"chat_template", other}}.dump());
  QVERIFY(QString::fromStdString(failureOf(load)).contains("chat_template.json"));
  writeFile(folder.filePath("chat_template.json"), "{");
  QVERIFY(QString::fromStdString(failureOf(load)).contains("JSON"));
}

void TokenizerTest::messagesThatAreNoneAreRefused() {
  for (const char* json : {"", "{}", "[1]", R"([{"content": "x"}])", R"([{"role": "user", "content": 5}])",
                           R"([{"role": "user", "content": ["x"]}])"}) {
    QVERIFY2(!failureOf([&] { parseMessages(json); }).empty(), json);
  }
  QVERIFY(!failureOf([] { ChatTemplate().render({}, true); }).empty());
}

QTEST_GUILESS_MAIN(TokenizerTest)
#include "tst_tokenizer.moc"
