// RoomyPage: a page that places its panels differently in rooms of different sizes. What a person did in one of them is kept a room,
// in layouts and sessions (ui/layouts.h) too. UI thread.
#pragma once

#include <QByteArray>
#include <QHash>
#include <QSize>

class QWidget;

namespace cuescope {

class RoomyPage {
 public:
  /// As in a window of 1600 × 1000, of 1280 × 800, and what is smaller still.
  enum Room { Wide, Narrow, Compact };
  static constexpr int kWideFrom = 1300;  // px of a page's width

  virtual ~RoomyPage() = default;
  Room room() const { return m_room; }
  /// The places of now (placesOf).
  QByteArray places() const;
  /// False, and nothing changed, when the bytes are damaged. Sizes that are said before the page has its room are said again there.
  bool restorePlaces(const QByteArray& places);
  /// Places that were left in other rooms, by room.
  QHash<int, QByteArray> roomLayouts() const { return m_roomLayouts; }
  void setRoomLayouts(const QHash<int, QByteArray>& layouts) { m_roomLayouts = layouts; }
  /// The places as they are built for the room of now; once at the end of the page's building, too.
  void defaultPlaces();
  /// The room there is for the page, whatever it needs: decides how its panels are placed.
  void setRoom(const QSize& given);

 protected:
  explicit RoomyPage(QWidget* page) : m_page(page) {}
  virtual Room roomFor(const QSize& given) const;
  /// Puts every panel, which has no parent now, into its place for the room of now.
  virtual void placePanels() = 0;
  virtual void defaultSizes() = 0;
  /// At the page's resizeEvent() and showEvent().
  void followSize();
  void sizeOnce();

 private:
  QWidget* m_page;
  Room m_room = Wide;
  bool m_roomGiven = false;  // by the window, which knows more than the page's own size
  bool m_sizesDue = false;   // the sizes are said again when the page has its room
  QByteArray m_restored;     // places whose sizes those are; empty: the default ones
  QHash<int, QByteArray> m_roomLayouts;
};

}  // namespace cuescope
