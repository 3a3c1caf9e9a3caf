// Layouts: where the panels of a page are, as one byte string: splitters and their sizes, which panel is in which place or behind
// which tabs, which are floating or closed. Works for every page that is built from QSplitter and Panel. UI thread.
#pragma once

#include <QByteArray>
#include <QString>
#include <Qt>

class QSplitter;
class QWidget;

namespace cuescope {

class Panel;

/// As all of them are: a line of 1 px, and nothing is folded away.
QSplitter* madeSplitter(Qt::Orientation orientation);

/// Names the page's splitters and what lies in them besides panels; once, when it is built. Places are told by these names.
void markPage(QWidget* page);
bool isMarkedPage(const QWidget* widget);

QByteArray layoutOf(const QWidget* page);
/// False, and nothing changed, when the bytes are damaged or of another shape of page.
bool applyLayout(QWidget* page, const QByteArray& layout);
/// The same of the room of now alone.
QByteArray placesOf(const QWidget* page);
bool applyPlaces(QWidget* page, const QByteArray& places);
/// Its sizes alone, to panels that lie in these places already.
void applySizes(QWidget* page, const QByteArray& places);

/// New height goes to the panels that can use it; the others keep theirs. A panel is one of those when this is said of it.
void growWithRoom(Panel* panel);
/// Hands that on to what holds them: tabs grow when all of them can, a split when a part of it can. After every new placing.
void stretchPanels(QWidget* page);

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
