// Numbers as recipes and files hold them: their little-endian bytes in base64, and arrays of NumPy's own format.
#pragma once

#include <QByteArray>
#include <QString>
#include <cstring>
#include <vector>

namespace cuescope {

template <typename T>
QString packed(const std::vector<T>& values) {
  return QString::fromLatin1(QByteArray(reinterpret_cast<const char*>(values.data()), qsizetype(values.size() * sizeof(T))).toBase64());
}
template <typename T>
std::vector<T> unpacked(const QString& text) {
  const QByteArray bytes = QByteArray::fromBase64(text.toLatin1());
  std::vector<T> values(std::size_t(bytes.size()) / sizeof(T));
  std::memcpy(values.data(), bytes.constData(), values.size() * sizeof(T));
  return values;
}

/// The bytes of a .npy file (format 1.0): [rows, columns] row by row, or a vector where `columns` is 0.
inline QByteArray npy(const std::vector<double>& values, int rows = 0, int columns = 0) {
  const QByteArray shape = columns > 0 ? QByteArray::number(rows) + ", " + QByteArray::number(columns) : QByteArray::number(qulonglong(values.size())) + ",";
  QByteArray header = "{'descr': '<f8', 'fortran_order': False, 'shape': (" + shape + "), }";
  while ((10 + header.size() + 1) % 64) header += ' ';  // the numbers begin at a multiple of 64
  header += '\n';
  QByteArray bytes("\x93NUMPY\x01\x00", 8);
  bytes += char(header.size() & 0xFF);
  bytes += char(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), qsizetype(values.size() * sizeof(double)));
  return bytes;
}

}  // namespace cuescope
