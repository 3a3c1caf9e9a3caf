// SampleWalk: a page whose samples are walked with N and P and chosen in the selection bar and the palette, on the page itself or from
// Inspect, when what is inspected came from it. UI thread.
#pragma once

#include <QString>
#include <utility>

namespace cuescope {

class SampleWalk {
 public:
  virtual ~SampleWalk() = default;
  /// Those that the page lists now, in its order.
  virtual int sampleCount() const = 0;
  virtual int sampleAt() const = 0;  // the chosen one, -1: none
  /// Its id, and what it asks.
  virtual std::pair<QString, QString> sampleName(int at) const = 0;
  /// Chooses it; `inspect` sends it to Inspect as soon as its pictures are here.
  virtual void goToSample(int at, bool inspect) = 0;

  QString currentSample() const { return sampleAt() < 0 ? QString() : sampleName(sampleAt()).first; }
};

}  // namespace cuescope
