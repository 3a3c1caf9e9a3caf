// The person's own default colour map, in the place of the theme's. UI thread.
#pragma once

#include <optional>

#include "widgets/color_maps.h"

namespace cuescope {

/// What defaultColorMap() gives from now on; nothing: the theme's again. Whoever shows a default map is told by Theme::changed.
void preferColorMap(std::optional<ColorMap> map);

}  // namespace cuescope
