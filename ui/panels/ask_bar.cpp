#include "ui/panels/ask_bar.h"

#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/acts_as.h"
#include "ui/panels/panel.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/fitted_combo.h"
#include "widgets/icons.h"

namespace cuescope {
namespace {

void choose(QComboBox* box, const QString& path) {
  const int index = box->findData(path);
  if (index >= 0) box->setCurrentIndex(index);
}

QLabel* caption(const QString& text, QWidget* buddy) {
  auto* label = new QLabel(text);
  label->setProperty("tone", "2");
  label->setBuddy(buddy);
  return label;
}

// A caption that stands inside its chooser when the row is too narrow for both.
QLabel* caption(const QString& text, FittedCombo* box) {
  auto* label = new QLabel(text);
  label->setProperty("tone", "2");
  box->setCaption(label);
  return label;
}

}  // namespace

AskBar::AskBar(Workspace& workspace, QWidget* parent) : QWidget(parent), m_workspace(workspace) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* who = new Strip(32, Strip::Ground::Panel, this);
  auto* student = new FittedCombo;
  auto* teacher = new FittedCombo;
  auto* beside = new FittedCombo;
  m_student = student;
  m_student->setAccessibleName(tr("Student"));
  m_student->setToolTip(tr("The model that answers and whose attention is shown"));
  m_teacher = teacher;
  m_teacher->setAccessibleName(tr("Teacher"));
  m_teacher->setToolTip(tr("The model that scores the student's answer, with the cue and without it"));
  m_beside = beside;
  m_beside->setAccessibleName(tr("Beside"));
  m_beside->setToolTip(tr("Another student that reads the same response: its map, log-probabilities and distributions stand beside this one's and follow the selection"));
  for (QComboBox* box : {m_student, m_teacher, m_beside}) {
    box->setMaximumWidth(240);
    box->setWhatsThis(box->toolTip());
  }
  m_picture = new ElidedLabel(tr("no picture"));
  m_picture->setElide(Qt::ElideMiddle);
  m_picture->setTone(ElidedLabel::Tone::Text3);
  m_picture->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  m_picture->setMinimumWidth(84);  // a name of a dozen letters
  auto* open = new QToolButton;
  open->setIcon(icon(Icon::Image));
  open->setAutoRaise(true);
  open->setToolTip(tr("Open a picture (Ctrl+O), drop one, or paste one (Ctrl+V)"));
  open->setAccessibleName(tr("Open a picture"));
  connect(open, &QToolButton::clicked, this, &AskBar::openRequested);
  m_add = new QToolButton;
  m_add->setIcon(icon(Icon::Add));
  m_add->setAutoRaise(true);
  m_add->setToolTip(tr("Add a picture or a video to the same question"));
  m_add->setAccessibleName(tr("Add a picture"));
  connect(m_add, &QToolButton::clicked, this, &AskBar::addRequested);
  m_capture = new QToolButton;
  m_capture->setIcon(icon(Icon::Chip));
  m_capture->setAutoRaise(true);
  m_capture->setCheckable(true);
  m_capture->setToolTip(tr("Which layers and tokens are captured, and the memory they may take"));
  m_capture->setAccessibleName(tr("Layers, tokens and memory"));
  actsAs(m_student, "inspect.student-model");
  actsAs(m_teacher, "inspect.teacher-model");
  actsAs(m_beside, "inspect.beside");
  actsAs(open, "file.open");
  actsAs(m_add, "inspect.add-picture");
  actsAs(m_capture, "inspect.capture-settings");
  QLabel* captions[] = {caption(tr("Student"), student), caption(tr("Teacher"), teacher), caption(tr("Beside"), beside)};
  who->row()->setSpacing(4);  // at the design's smallest width the captions still stand in their choosers
  who->row()->addWidget(captions[0]);
  who->row()->addWidget(m_student);
  who->row()->addWidget(captions[1]);
  who->row()->addWidget(m_teacher);
  who->row()->addWidget(captions[2]);
  who->row()->addWidget(m_beside);
  who->row()->addWidget(open);
  who->row()->addWidget(m_add);
  who->row()->addWidget(m_capture);
  who->row()->addWidget(m_picture, 1);
  who->row()->addStretch(0);
  who->giveWay(m_picture, 0);  // the selection bar names the sample
  for (int i = 0; i < 3; ++i) who->giveWay(captions[i], 3 - i);

  auto* what = new Strip(32, Strip::Ground::Panel, this);
  m_question = new QLineEdit;
  m_question->setToolTip(tr("What both models are asked about the picture"));
  m_question->setPlaceholderText(tr("Question about the picture"));
  m_question->setAccessibleName(tr("Question"));
  m_cue = new QLineEdit;
  m_cue->setPlaceholderText(tr("Cue for the teacher: where to look"));
  m_cue->setAccessibleName(tr("Cue"));
  m_cue->setToolTip(tr("Visible to the teacher alone; it says where to look, not what to answer"));
  m_ask = new QPushButton(tr("Ask"));
  m_ask->setProperty("primary", true);
  m_ask->setDefault(true);
  actsAs(m_ask, "inspect.ask");
  QLabel* questionCaption = caption(tr("Question"), m_question);
  QLabel* cueCaption = caption(tr("Cue"), m_cue);
  what->row()->setSpacing(6);
  what->row()->addWidget(questionCaption);
  what->row()->addWidget(m_question, 3);
  what->row()->addWidget(cueCaption);
  what->row()->addWidget(m_cue, 2);
  what->row()->addWidget(m_ask);
  for (QLineEdit* field : {m_question, m_cue}) field->setMinimumWidth(110);
  what->giveWay(questionCaption, 1);
  what->giveWay(cueCaption, 2);
  column->addWidget(who);
  column->addWidget(what);

  connect(m_ask, &QPushButton::clicked, this, [this] { m_busy ? Q_EMIT cancelled() : Q_EMIT asked(); });
  for (QLineEdit* field : {m_question, m_cue}) {
    connect(field, &QLineEdit::returnPressed, this, [this] {
      if (m_ask->isEnabled()) Q_EMIT asked();
    });
    connect(field, &QLineEdit::textChanged, this, &AskBar::updateAsk);
  }
  connect(m_student, &QComboBox::currentIndexChanged, this, &AskBar::updateAsk);
  connect(m_beside, &QComboBox::currentIndexChanged, this, [this] {
    m_beside->setToolTip(m_beside->currentText());
    Q_EMIT besideChanged();
  });
  connect(&m_workspace, &Workspace::changed, this, &AskBar::fillModels);
  fillModels();
  const QString weak = m_workspace.demoModel(QStringLiteral("weak"));
  if (!weak.isEmpty()) setStudent(weak);
  const QString strong = m_workspace.demoModel(QStringLiteral("teacher"));
  if (!strong.isEmpty()) setTeacher(strong);
}

void AskBar::fillModels() {
  const QString student = this->student(), teacher = this->teacher(), beside = this->beside();
  const QSignalBlocker blockStudent(m_student), blockTeacher(m_teacher), blockBeside(m_beside);
  m_beside->clear();
  m_beside->addItem(tr("none"), QString());
  m_student->clear();
  m_teacher->clear();
  m_teacher->addItem(tr("none"), QString());
  if (!m_run.isEmpty()) {
    m_student->addItem(tr("the run's student, now"), QString::fromLatin1(kRunStudent));
    m_student->setItemData(m_student->count() - 1, m_run, Qt::ToolTipRole);
    m_teacher->addItem(tr("the run's teacher"), QString::fromLatin1(kRunTeacher));
    m_teacher->setItemData(m_teacher->count() - 1, m_run, Qt::ToolTipRole);
  }
  for (const WorkspaceEntry& model : m_workspace.models()) {
    const QString name = model.demo ? tr("demo %1").arg(model.name) : model.name;
    m_student->addItem(name, model.path);
    m_beside->addItem(name, model.path);
    m_teacher->addItem(name, model.path);
  }
  choose(m_student, student);
  choose(m_teacher, teacher);
  choose(m_beside, beside);
  for (QComboBox* box : {m_student, m_teacher, m_beside}) box->updateGeometry();  // their signals were held back
  updateAsk();
}

void AskBar::setRunAvailable(const QString& run) {
  if (run == m_run) return;
  const bool ended = run.isEmpty();
  const QString student = this->student(), teacher = this->teacher();
  m_run = run;
  fillModels();
  // Who looked at the run's student goes on with what came of it, not with the first model of the list.
  const auto follow = [&](const QString& before, const char* live, const QString& result, QComboBox* box) {
    if (!ended || before != QLatin1String(live) || result.isEmpty()) return;
    if (box->findData(result) < 0) m_workspace.addModel(result);
    choose(box, result);
  };
  follow(student, kRunStudent, m_resultStudent, m_student);
  follow(teacher, kRunTeacher, m_resultTeacher, m_teacher);
}

void AskBar::setRunResult(const QString& student, const QString& teacher) {
  m_resultStudent = student;
  m_resultTeacher = teacher;
}

void AskBar::setRequest(const InspectRequest& request) {
  m_request = request;
  m_question->setText(QString::fromStdString(request.question));
  m_cue->setText(QString::fromStdString(request.cue));
  if (!request.student.empty()) setStudent(QString::fromStdString(request.student));
  setTeacher(QString::fromStdString(request.teacher));
  namePicture();
  updateAsk();
}

InspectRequest AskBar::request() const {
  InspectRequest request = m_request;
  request.student = student().toStdString();
  request.teacher = teacher().toStdString();
  request.question = m_question->text().toStdString();
  request.cue = m_cue->text().toStdString();
  return request;
}

void AskBar::setPicture(const QString& file) {
  m_request.images = {file.toStdString()};
  m_request.imageBytes.clear();
  m_request.imageLabel = QFileInfo(file).fileName().toStdString();
  m_request.evidence.clear();
  m_request.sampleId = m_request.imageLabel;
  m_request.moreImages.clear();
  namePicture();
  updateAsk();
}

void AskBar::setPicture(const std::vector<std::uint8_t>& encoded, const QString& label) {
  m_request.images.clear();
  m_request.imageBytes = encoded;
  m_request.imageLabel = label.toStdString();
  m_request.evidence.clear();
  m_request.sampleId = label.toStdString();
  m_request.moreImages.clear();
  namePicture();
  updateAsk();
}

void AskBar::addPicture(const QString& file) {
  if (!hasPicture()) return setPicture(file);
  m_request.images.push_back(file.toStdString());
  namePicture();
  updateAsk();
}

int AskBar::pictures() const {
  return int(m_request.images.size() + m_request.moreImages.size()) + (m_request.imageBytes.empty() ? 0 : 1);
}

void AskBar::namePicture() {
  QString label = tr("no picture");
  if (!m_request.imageLabel.empty()) label = QString::fromStdString(m_request.imageLabel);
  else if (!m_request.images.empty()) label = QFileInfo(QString::fromStdString(m_request.images.front())).fileName();
  if (pictures() > 1) label = tr("%1 and %2 more").arg(label).arg(pictures() - 1);
  m_picture->setText(label);
}

void AskBar::setBeside(const QString& path) {
  choose(m_beside, path);
}
QString AskBar::beside() const {
  return m_beside->currentData().toString();
}

bool AskBar::hasPicture() const {
  return !m_request.images.empty() || !m_request.imageBytes.empty();
}

void AskBar::setStudent(const QString& path) {
  choose(m_student, path);
}
void AskBar::setTeacher(const QString& path) {
  choose(m_teacher, path);
}
QString AskBar::student() const {
  return m_student->currentData().toString();
}
QString AskBar::teacher() const {
  return m_teacher->currentData().toString();
}

void AskBar::setBusy(bool busy) {
  m_busy = busy;
  m_ask->setText(busy ? tr("Cancel") : tr("Ask"));
  updateAsk();
}

void AskBar::focusQuestion() {
  m_question->setFocus(Qt::OtherFocusReason);
  m_question->selectAll();
}

void AskBar::updateAsk() {
  QString reason;
  if (m_busy) reason.clear();
  else if (student().isEmpty()) reason = tr("Choose a student first: open or drop a model folder.");
  else if (m_question->text().trimmed().isEmpty()) reason = tr("Type a question first.");
  m_ask->setEnabled(reason.isEmpty());
  m_ask->setToolTip(!reason.isEmpty() ? reason : m_busy ? tr("Stop what is computed now (Ctrl+.)") : tr("Ask the student (Return)"));
}

}  // namespace cuescope
