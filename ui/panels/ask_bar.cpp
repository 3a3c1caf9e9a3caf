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

#include "ui/panels/panel.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
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

}  // namespace

AskBar::AskBar(Workspace& workspace, QWidget* parent) : QWidget(parent), m_workspace(workspace) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* who = new Strip(32, Strip::Ground::Panel, this);
  m_student = new QComboBox;
  m_student->setAccessibleName(tr("Student"));
  m_student->setToolTip(tr("The model that answers and whose attention is shown"));
  m_teacher = new QComboBox;
  m_teacher->setAccessibleName(tr("Teacher"));
  m_teacher->setToolTip(tr("The model that scores the student's answer, with the cue and without it"));
  for (QComboBox* box : {m_student, m_teacher}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    box->setMinimumWidth(110);
    box->setMaximumWidth(210);
  }
  m_picture = new ElidedLabel(tr("no picture"));
  m_picture->setElide(Qt::ElideMiddle);
  m_picture->setTone(ElidedLabel::Tone::Text3);
  auto* open = new QToolButton;
  open->setIcon(icon(Icon::Image));
  open->setAutoRaise(true);
  open->setToolTip(tr("Open a picture (Ctrl+O), drop one, or paste one (Ctrl+V)"));
  open->setAccessibleName(tr("Open a picture"));
  connect(open, &QToolButton::clicked, this, &AskBar::openRequested);
  who->row()->addWidget(caption(tr("Student"), m_student));
  who->row()->addWidget(m_student);
  who->row()->addSpacing(8);
  who->row()->addWidget(caption(tr("Teacher"), m_teacher));
  who->row()->addWidget(m_teacher);
  who->row()->addSpacing(8);
  who->row()->addWidget(open);
  who->row()->addWidget(m_picture, 1);

  auto* what = new Strip(32, Strip::Ground::Panel, this);
  m_question = new QLineEdit;
  m_question->setPlaceholderText(tr("Question about the picture"));
  m_question->setAccessibleName(tr("Question"));
  m_cue = new QLineEdit;
  m_cue->setPlaceholderText(tr("Cue for the teacher: where to look"));
  m_cue->setAccessibleName(tr("Cue"));
  m_cue->setToolTip(tr("Visible to the teacher alone; it says where to look, not what to answer"));
  m_ask = new QPushButton(tr("Ask"));
  m_ask->setProperty("primary", true);
  m_ask->setDefault(true);
  what->row()->addWidget(caption(tr("Question"), m_question));
  what->row()->addWidget(m_question, 3);
  what->row()->addWidget(caption(tr("Cue"), m_cue));
  what->row()->addWidget(m_cue, 2);
  what->row()->addWidget(m_ask);
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
  connect(&m_workspace, &Workspace::changed, this, &AskBar::fillModels);
  fillModels();
  const QString weak = m_workspace.demoModel(QStringLiteral("weak"));
  if (!weak.isEmpty()) setStudent(weak);
  const QString teacher = m_workspace.demoModel(QStringLiteral("teacher"));
  if (!teacher.isEmpty()) setTeacher(teacher);
}

void AskBar::fillModels() {
  const QString student = this->student(), teacher = this->teacher();
  const QSignalBlocker blockStudent(m_student), blockTeacher(m_teacher);
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
    m_teacher->addItem(name, model.path);
  }
  choose(m_student, student);
  choose(m_teacher, teacher);
  updateAsk();
}

void AskBar::setRunAvailable(const QString& run) {
  if (run == m_run) return;
  m_run = run;
  fillModels();
}

void AskBar::setRequest(const InspectRequest& request) {
  m_request = request;
  m_question->setText(QString::fromStdString(request.question));
  m_cue->setText(QString::fromStdString(request.cue));
  if (!request.student.empty()) setStudent(QString::fromStdString(request.student));
  setTeacher(QString::fromStdString(request.teacher));
  const QString label = !request.imageLabel.empty() ? QString::fromStdString(request.imageLabel)
                        : request.images.empty()    ? tr("no picture")
                                                    : QFileInfo(QString::fromStdString(request.images.front())).fileName();
  m_picture->setText(label);
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
  m_picture->setText(QFileInfo(file).fileName());
  updateAsk();
}

void AskBar::setPicture(const std::vector<std::uint8_t>& encoded, const QString& label) {
  m_request.images.clear();
  m_request.imageBytes = encoded;
  m_request.imageLabel = label.toStdString();
  m_request.evidence.clear();
  m_request.sampleId = label.toStdString();
  m_picture->setText(label);
  updateAsk();
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
