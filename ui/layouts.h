// Layouts: where the panels of a page are, as one byte string: splitters and their sizes, which panel is in which place or behind
// which tabs, which are floating or closed. Works for every page that is built from QSplitter and Panel. UI thread.
#pragma once

#include <QByteArray>
#include <QHash>
#include <QString>

class QWidget;

namespace cuescope {

class Panel;

/// Names the page's splitters and what lies in them besides panels; once, when it is built. Places are told by these names.
void markPage(QWidget* page);
bool isMarkedPage(const QWidget* widget);

/// A page that places its panels differently in rooms of different sizes. What a person did in one of them is kept a room.
class RoomyPage {
 public:
  virtual ~RoomyPage() = default;
  virtual int layoutRoom() const = 0;
  /// Layouts (placesOf) that were left in other rooms, by room.
  virtual QHash<int, QByteArray> roomLayouts() const = 0;
  virtual void setRoomLayouts(const QHash<int, QByteArray>& layouts) = 0;
  /// The places as they are built for the room of now.
  virtual void defaultPlaces() = 0;
};

QByteArray layoutOf(const QWidget* page);
/// False, and nothing changed, when the bytes are damaged or of another shape of page.
bool applyLayout(QWidget* page, const QByteArray& layout);
/// The same of the room of now alone.
QByteArray placesOf(const QWidget* page);
bool applyPlaces(QWidget* page, const QByteArray& places);
/// A page's property: the sizes of its default places are said again when it is first shown. Places that are applied take it back.
inline constexpr const char* kSizesDue = "cuescopeSizesDue";

/// Leaves a page without panels, to be placed anew: none floats, none has a parent.
void takeOutPanels(QWidget* page);

/// Tab walks the page as it is read: left to right and down, whatever was moved.
void orderFocus(QWidget* page);

/// All panels of a page, the floating ones too, by name.
QList<Panel*> panelsOf(const QWidget* page);
/// Exchanges the places of two panels of one page; false when one of them floats.
bool swapPanels(Panel* a, Panel* b);

enum class DropZone { None, Swap, Tab, Left, Right, Above, Below };
/// Puts a panel beside another one of its page, or before it as a tab, or exchanges the two; a floating one comes back so. False
/// when it cannot go there.
bool movePanel(Panel* panel, Panel* target, DropZone zone);
/// «as a tab of Matrix», «left of Matrix».
QString zoneWords(DropZone zone, const Panel* target);

}  // namespace cuescope
