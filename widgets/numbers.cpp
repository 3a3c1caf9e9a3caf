#include "widgets/numbers.h"

#include <cmath>

#include "widgets/theme.h"

namespace cuescope {

QString plainExponent(QString text) {
  if (const qsizetype e = text.indexOf(QLatin1Char('e')); e >= 0) {
    qsizetype digits = e + 1;
    if (digits < text.size() && text[digits] == QLatin1Char('+')) text.remove(digits, 1);
    else if (digits < text.size() && (text[digits] == QLatin1Char('-') || text[digits] == QChar(0x2212))) ++digits;
    while (digits + 1 < text.size() && text[digits] == QLatin1Char('0')) text.remove(digits, 1);
  }
  return text.replace(QLatin1Char('-'), QChar(0x2212));
}

QString significant(double value, int decimals) {
  const double size = std::abs(value);
  if (!std::isfinite(value) || value == 0 || size >= std::pow(10.0, 1 - decimals)) return number(value, decimals);
  return plainExponent(QString::number(value, 'g', 2));
}

QString significantShare(double value, int decimals) {
  if (value == 0) return shareText(value, decimals);
  QString text = significant(value, decimals);
  if (text.startsWith(QLatin1String("0."))) text.remove(0, 1);
  return text;
}

}  // namespace cuescope
