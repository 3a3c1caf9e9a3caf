#include "ui/start_page.h"

#include <QFileInfo>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QThread>
#include <QVBoxLayout>

#include "ui/acts_as.h"
#include "ui/session.h"
#include "ui/status_strip.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"
#include "widgets/icons.h"
#include "widgets/key_hint.h"
#include "widgets/task_progress.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

QLabel* words(const QString& text, int pixels, QFont::Weight weight = QFont::Normal, const char* tone = nullptr) {
  auto* label = new QLabel(text);
  label->setFont(uiFont(pixels, weight));
  if (tone) label->setProperty("tone", tone);
  label->setWordWrap(true);
  return label;
}

// A frame in the theme's strong line; rows inside are parted by a line.
class Frame : public QWidget {
 public:
  explicit Frame(bool dashed = false) : m_dashed(dashed) {}

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    QPen pen(m_dashed ? colors().control : colors().lineStrong);
    if (m_dashed) pen.setStyle(Qt::DashLine);
    painter.setPen(pen);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
  }

 private:
  bool m_dashed;
};

class RuledRow : public QWidget {
 public:
  explicit RuledRow(bool last) : m_last(last) { setFixedHeight(28); }

 protected:
  void paintEvent(QPaintEvent*) override {
    if (!m_last) QPainter(this).fillRect(QRect(1, height() - 1, width() - 2, 1), colors().line);
  }

 private:
  bool m_last;
};

}  // namespace

DemoCard::DemoCard(const QString& title, const QString& text, const QString& note, int key, bool primary, QWidget* parent)
    : QWidget(parent), m_noteText(note) {
  setMinimumHeight(115);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(10, 9, 10, 9);
  row->setSpacing(12);
  m_picture = new QLabel;
  m_picture->setFixedSize(128, 96);
  m_picture->setAlignment(Qt::AlignCenter);
  auto* middle = new QVBoxLayout;
  middle->setSpacing(2);
  middle->addWidget(words(title, 13, QFont::DemiBold));
  middle->addWidget(words(text, 12, QFont::Normal, "2"));
  middle->addStretch(1);
  m_note = words(note, 11, QFont::Normal, "3");
  middle->addWidget(m_note);
  auto* right = new QVBoxLayout;
  m_button = new QPushButton(tr("Open"));
  m_button->setProperty("primary", primary);
  m_button->setAccessibleName(tr("Open «%1»").arg(title));
  m_button->setToolTip(tr("Open «%1»").arg(title));
  right->addWidget(m_button, 0, Qt::AlignRight);
  right->addStretch(1);
  right->addWidget(new KeyHint(QString::number(key)), 0, Qt::AlignRight);
  row->addWidget(m_picture, 0, Qt::AlignTop);
  row->addLayout(middle, 1);
  row->addLayout(right);
}

void DemoCard::setPicture(const QPixmap& picture) {
  m_picture->setPixmap(picture);
}

void DemoCard::setRefusal(const QString& reason) {
  m_button->setEnabled(reason.isEmpty());
  m_button->setToolTip(reason.isEmpty() ? m_button->accessibleName() : reason);
  m_note->setText(reason.isEmpty() ? m_noteText : reason);
}

void DemoCard::paintEvent(QPaintEvent*) {
  QPainter(this).fillRect(QRect(1, height() - 1, width() - 2, 1), colors().line);
}

StartPage::StartPage(Session& session, Workspace& workspace, QWidget* parent) : QWidget(parent), m_session(session), m_workspace(workspace) {
  m_scenes = readSceneExamples(workspace.demoFolder() + QStringLiteral("/data/examples.jsonl"));
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  outer->addWidget(area);
  auto* page = new QWidget;
  area->setWidget(page);
  auto* centre = new QHBoxLayout(page);
  auto* body = new QWidget;
  body->setMaximumWidth(1060);
  centre->addStretch(1);
  centre->addWidget(body, 100);
  centre->addStretch(1);
  auto* column = new QVBoxLayout(body);
  column->setContentsMargins(20, 0, 20, 20);
  column->setSpacing(4);
  column->addStretch(1);
  column->addWidget(words(tr("Start"), 20, QFont::DemiBold));
  column->addWidget(words(tr("See where a student looks, what the teacher would have said, and whether a run is getting better at looking."), 13, QFont::Normal, "2"));
  column->addSpacing(12);
  m_grid = new QGridLayout;
  m_grid->setHorizontalSpacing(28);
  m_grid->setVerticalSpacing(20);
  column->addLayout(m_grid);
  column->addStretch(3);

  m_left = new QWidget;
  auto* left = new QVBoxLayout(m_left);
  left->setContentsMargins(0, 0, 0, 0);
  left->setSpacing(6);
  auto* demoTitle = new ElidedLabel;
  demoTitle->setPixelSize(12, QFont::DemiBold);
  demoTitle->setText(tr("Demo"), tr("tiny Qwen3-VL models, built in. No download, no GPU."));
  left->addWidget(demoTitle);
  m_error = new ErrorPanel;
  m_error->hide();
  left->addWidget(m_error);
  auto* cards = new Frame;
  auto* cardColumn = new QVBoxLayout(cards);
  cardColumn->setContentsMargins(1, 1, 1, 1);
  cardColumn->setSpacing(0);
  m_cards = {new DemoCard(tr("Look at a drawn scene"), tr("Attention map of each answer token, tokens coloured by the gap, and four distributions: student, teacher with the cue, without it, and with the image erased."),
                          tr("1 image, 1 question, 1 cue"), 1, true),
             new DemoCard(tr("Erase a region of a scene"), tr("Paint over an object, and see the answer and its log-probability change beside 16 random regions."), tr("1 image, the evidence is the region"), 2, false),
             new DemoCard(tr("Train the demo on this computer"), tr("OPD+ViCuR on drawn scenes. Watch the loss and the map of the new sink token, pause at any step, look inside, resume."), tr("runs on the CPU in a few minutes"), 3, false)};
  for (std::size_t i = 0; i < m_cards.size(); ++i) {
    cardColumn->addWidget(m_cards[i]);
    static const char* const kCards[] = {"map.single", "map.swipe", "map.side"};  // their keys are 1, 2, 3
    actsAs(m_cards[i]->button(), kCards[i]);
    connect(m_cards[i]->button(), &QPushButton::clicked, this, [this, i] { openCard(int(i)); });
  }
  left->addWidget(cards);
  left->addSpacing(14);
  left->addWidget(words(tr("Your own"), 12, QFont::DemiBold));
  auto* drop = new Frame(true);
  drop->setMinimumHeight(84);
  auto* dropRow = new QHBoxLayout(drop);
  dropRow->setSpacing(12);
  auto* picture = new QLabel;
  picture->setPixmap(icon(Icon::Image).pixmap(16, 16));
  auto* open = new QPushButton(tr("Open"));
  open->setIcon(icon(Icon::Folder));
  open->setToolTip(tr("Open an image, model folder, data file, run folder or capture (Ctrl+O)"));
  actsAs(open, "file.open");
  connect(open, &QPushButton::clicked, this, &StartPage::openRequested);
  dropRow->addStretch(1);
  dropRow->addWidget(picture);
  auto* dropWords = words(tr("Drop an image, video, model folder, data file or run folder anywhere in the window"), 12);
  dropRow->addWidget(dropWords, 12);
  dropRow->addWidget(open);
  dropRow->addWidget(new KeyHint(QStringLiteral("Ctrl+O")));
  dropRow->addStretch(1);
  left->addWidget(drop);
  left->addStretch(1);

  m_right = new QWidget;
  auto* right = new QVBoxLayout(m_right);
  right->setContentsMargins(0, 0, 0, 0);
  right->setSpacing(6);
  right->addWidget(words(tr("This computer"), 12, QFont::DemiBold));
  right->addWidget(computer());
  right->addSpacing(14);
  right->addWidget(words(tr("Recent"), 12, QFont::DemiBold));
  auto* recent = new Frame;
  m_recent = new QVBoxLayout(recent);
  m_recent->setContentsMargins(10, 8, 10, 8);
  m_recent->setSpacing(2);
  right->addWidget(recent);
  right->addSpacing(14);
  right->addWidget(words(tr("Keys worth knowing"), 12, QFont::DemiBold));
  right->addWidget(keys());
  right->addStretch(1);
  m_grid->addWidget(m_left, 0, 0);
  m_grid->addWidget(m_right, 0, 1);
  m_grid->setColumnStretch(0, 2);
  m_grid->setColumnStretch(1, 1);

  connect(&session, &Session::engineStateChanged, this, &StartPage::refresh);
  connect(&session, &Session::doctorArrived, this, &StartPage::refresh);
  connect(&session, &Session::actionsChanged, this, &StartPage::refresh);
  connect(&workspace, &Workspace::changed, this, &StartPage::refreshRecent);
  connect(&Theme::instance(), &Theme::changed, this, &StartPage::refresh);
  refresh();
  refreshRecent();
}

QWidget* StartPage::computer() {
  auto* frame = new Frame;
  auto* column = new QVBoxLayout(frame);
  column->setContentsMargins(1, 1, 1, 1);
  column->setSpacing(0);
  const auto row = [&](const QString& name, QWidget* extra = nullptr) {
    auto* line = new RuledRow(false);
    auto* layout = new QHBoxLayout(line);
    layout->setContentsMargins(8, 0, 8, 0);
    auto* caption = new ElidedLabel(name);
    caption->setTone(ElidedLabel::Tone::Text3);
    caption->setFixedWidth(66);
    auto* value = new ElidedLabel;
    layout->addWidget(caption);
    layout->addWidget(value, 1);
    if (extra) layout->addWidget(extra);
    column->addWidget(line);
    return value;
  };
  m_loading = new ThinBar;
  m_loading->setFixedWidth(64);
  m_engine = row(tr("Engine"), m_loading);
  m_device = row(tr("Device"));
  m_memory = row(tr("Memory"));
  m_pack = row(tr("GPU pack"));
  m_trouble = words({}, 11);
  m_trouble->setContentsMargins(8, 6, 8, 0);
  m_trouble->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_trouble->setAccessibleName(tr("What is not as it should be"));
  m_trouble->hide();
  column->addWidget(m_trouble);
  auto* note = words(tr("The demo needs only the CPU. The window works while the engine loads."), 11, QFont::Normal, "3");
  note->setContentsMargins(8, 6, 8, 6);
  column->addWidget(note);
  return frame;
}

QWidget* StartPage::keys() {
  auto* frame = new Frame;
  auto* column = new QVBoxLayout(frame);
  column->setContentsMargins(1, 1, 1, 1);
  column->setSpacing(0);
  const std::pair<QString, QString> list[] = {{tr("Find any action or setting"), QStringLiteral("Ctrl+K")}, {tr("Pages"), QStringLiteral("Ctrl+1 … 5")},
                                              {tr("Previous, next step"), QStringLiteral(", and .")},       {tr("Previous, next token"), QStringLiteral("← →")},
                                              {tr("What is this?"), QStringLiteral("Shift+F1")},            {tr("All shortcuts"), QStringLiteral("?")}};
  for (std::size_t i = 0; i < std::size(list); ++i) {
    auto* line = new RuledRow(i + 1 == std::size(list));
    auto* layout = new QHBoxLayout(line);
    layout->setContentsMargins(8, 0, 8, 0);
    layout->addWidget(new ElidedLabel(list[i].first), 1);
    layout->addWidget(new KeyHint(list[i].second));
    column->addWidget(line);
  }
  return frame;
}

void StartPage::refresh() {
  const QString weak = m_workspace.demoModel(QStringLiteral("weak"));
  const bool failed = m_session.engineState() == EngineState::Failed;
  QString look;
  if (failed) look = tr("The engine could not be opened.");
  else if (weak.isEmpty()) look = tr("The demo's models are not here; «cuescope-cli demo train» makes them.");
  else if (m_scenes.empty()) look = tr("The demo's scenes are not here; «cuescope-cli demo make» makes them.");
  m_cards[0]->setRefusal(look);
  m_cards[1]->setRefusal(look);
  const QString train = look.isEmpty() && m_session.engineState() == EngineState::Ready ? m_session.refusal(RunAction::Start) : look;
  m_cards[2]->setRefusal(train);
  const qreal ratio = devicePixelRatioF();
  for (std::size_t i = 0; i < 2; ++i) {
    QPixmap picture;
    const std::size_t scene = std::min(i, m_scenes.size() - 1);
    if (!m_scenes.empty()) picture.load(m_scenes[scene].picture);
    if (!picture.isNull()) {
      picture = picture.scaled(QSize(96, 96) * ratio, Qt::KeepAspectRatio, Qt::SmoothTransformation);
      picture.setDevicePixelRatio(ratio);
      m_cards[i]->setPicture(picture);
    } else {
      m_cards[i]->setPicture(icon(Icon::Image).pixmap(32, 32));
    }
  }
  m_cards[2]->setPicture(icon(Icon::Run).pixmap(QSize(32, 32), ratio));  // no run yet, so no curve to show

  const EngineState state = m_session.engineState();
  m_engine->setText(state == EngineState::Ready ? tr("ready") : failed ? tr("not available") : tr("loading LibTorch"));
  m_loading->setVisible(state == EngineState::Loading || state == EngineState::NotStarted);
  m_error->setVisible(failed);
  if (failed) {
    const Failure& failure = m_session.engineFailure();
    m_error->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
  }
  QString device = tr("CPU, %1 cores").arg(QThread::idealThreadCount()), pack = tr("not known yet");
  QStringList trouble;
  for (const DoctorLine& line : m_session.doctorLines()) {
    if (line.name == kDoctorDevice) device = QString::fromStdString(line.value);
    if (line.name == kDoctorGpu) pack = QString::fromStdString(line.value);
    if (!line.ok) trouble << troubleText(line);
  }
  m_trouble->setText(trouble.join(u'\n').replace(u'/', QStringLiteral("/\u200b")));  // a long path may be broken
  m_trouble->setVisible(!trouble.isEmpty());
  m_device->setText(device);
  m_pack->setText(pack);
  const MemoryUse use = memoryUse();
  m_memory->setText(tr("%1, %2 free").arg(bytesText(use.total), bytesText(use.free)));
}

void StartPage::refreshRecent() {
  while (QLayoutItem* item = m_recent->takeAt(0)) {
    if (item->widget()) item->widget()->deleteLater();
    delete item;
  }
  const QStringList recent = m_workspace.recent();
  if (recent.isEmpty()) {
    m_recent->addWidget(words(tr("Nothing yet."), 12, QFont::Normal, "2"));
    m_recent->addWidget(words(tr("The last 20 images, models, data sets, runs and captures are listed here."), 11, QFont::Normal, "3"));
    return;
  }
  for (const QString& path : recent.mid(0, 6)) {
    auto* button = new QPushButton(QFontMetrics(uiFont(12)).elidedText(QFileInfo(path).fileName(), Qt::ElideMiddle, 280));
    button->setFlat(true);
    actsAs(button, "file.recent");
    button->setToolTip(path);
    button->setStyleSheet(QStringLiteral("QPushButton { text-align: left; border: 0; background: transparent; }"));
    connect(button, &QPushButton::clicked, this, [this, path] { Q_EMIT recentChosen(path); });
    m_recent->addWidget(button);
  }
}

QPushButton* StartPage::cardButton(int card) const {
  return m_cards[std::size_t(card)]->button();
}

void StartPage::openCard(int card) {
  if (card < 0 || card > 2 || !cardButton(card)->isEnabled()) return;
  if (card == 2) Q_EMIT trainChosen();
  else Q_EMIT sceneChosen(m_scenes[std::min(std::size_t(card), m_scenes.size() - 1)].request(m_workspace), card == 1);
}

void StartPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool narrow = width() < 900;
  if (narrow == m_narrow) return;
  m_narrow = narrow;
  m_grid->removeWidget(m_right);
  m_grid->addWidget(m_right, narrow ? 1 : 0, narrow ? 0 : 1);
  m_grid->setColumnStretch(1, narrow ? 0 : 1);
}

}  // namespace cuescope
