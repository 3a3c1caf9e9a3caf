#include "ui/roomy_page.h"

#include <QTimer>
#include <QWidget>
#include <utility>

#include "ui/layouts.h"
#include "ui/panels/panel.h"

namespace cuescope {

RoomyPage::Room RoomyPage::roomFor(const QSize& given) const { return given.width() < kWideFrom ? Narrow : Wide; }

void RoomyPage::defaultPlaces() {
  markPage(m_page);
  takeOutPanels(m_page);
  placePanels();
  for (Panel* panel : panelsOf(m_page)) panel->setClosed(false);
  for (PanelStack* shared : m_page->findChildren<PanelStack*>()) shared->setCurrent(shared->panels().front());
  stretchPanels(m_page);
  defaultSizes();
  m_restored.clear();
  m_sizesDue = true;
  orderFocus(m_page);
  sizeOnce();
}

QByteArray RoomyPage::places() const { return m_sizesDue && !m_restored.isEmpty() && !m_page->isVisible() ? m_restored : placesOf(m_page); }

bool RoomyPage::restorePlaces(const QByteArray& places) {
  if (!applyPlaces(m_page, places)) return false;
  m_sizesDue = true;  // a page that is shown may still have the size that it was made with
  m_restored = places;
  sizeOnce();
  return true;
}

void RoomyPage::setRoom(const QSize& given) {
  m_roomGiven = true;
  const Room next = roomFor(given);
  if (next == m_room) return;
  if (!m_sizesDue) m_roomLayouts.insert(m_room, placesOf(m_page));
  else if (m_restored.isEmpty()) m_roomLayouts.remove(m_room);  // never shown: no sizes worth keeping
  else m_roomLayouts.insert(m_room, m_restored);
  m_room = next;
  const QByteArray kept = m_roomLayouts.take(next);
  if (kept.isEmpty() || !restorePlaces(kept)) defaultPlaces();
}

void RoomyPage::followSize() {
  if (!m_roomGiven) {
    setRoom(m_page->size());
    m_roomGiven = false;
  }
  sizeOnce();
}

// Said to a splitter that is smaller than its things need, sizes come out as their least ones: they are said again when the page first
// has its room, after the layouts around it have had their say.
void RoomyPage::sizeOnce() {
  if (!m_page->isVisible() || !m_sizesDue) return;
  QTimer::singleShot(0, m_page, [this] {
    if (!m_page->isVisible() || !m_sizesDue) return;
    m_sizesDue = false;
    if (m_restored.isEmpty()) defaultSizes();
    else applySizes(m_page, std::exchange(m_restored, {}));
  });
}

}  // namespace cuescope
