// Numbers that may be small: fixed decimals as long as they say something, else significant digits. Any thread.
#pragma once

#include <QString>

namespace cuescope {

/// number(), but a value below the second last decimal keeps two significant digits: 0.0057, 3.1e−6. Never «0.0000» for what is not 0.
QString significant(double value, int decimals);
/// A share of 1 without the leading zero, as shareText() writes it, with the digits of significant(): .028, .00021.
QString significantShare(double value, int decimals = 3);
/// «3e-06» of the C library as it is read: 3e−6.
QString plainExponent(QString text);

}  // namespace cuescope
