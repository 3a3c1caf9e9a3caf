// A control of a page and the window's action that does the same: the action is in a menu and in the palette, has keys, and takes
// the control's own reason when it cannot be used. tst_keys walks all controls: one without an action fails it. UI thread.
#pragma once

#include <QString>
#include <QWidget>

namespace cuescope {

/// `actions`: one name of MainWindow::action(), or several with spaces between them (one for each choice of a SegmentedButton).
inline void actsAs(QWidget* control, const char* actions) { control->setProperty("action", QString::fromLatin1(actions)); }

}  // namespace cuescope
