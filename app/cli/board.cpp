// board: the table of finished runs (settings by data sets); export: the model of a checkpoint as a folder of its own.
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/board.h"
#include "engine/core/run_directory.h"

namespace cuescope::cli {

void addBoard(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("board", "Compares finished runs: settings by data sets, seeds, mean and interval");
  auto folders = std::make_shared<std::vector<std::string>>();
  auto csv = std::make_shared<std::string>(), svg = std::make_shared<std::string>();
  auto markdown = std::make_shared<bool>(false);
  command->add_option("runs", *folders, "Folders of runs, or folders that hold runs")->required();
  command->add_option("--csv", *csv, "Also write every seed's number");
  command->add_option("--svg", *svg, "Also draw a figure");
  command->add_flag("--markdown", *markdown, "Print a Markdown table");
  addJson(*command, context);
  command->callback([&context, folders, csv, svg, markdown] {
    context.run = [&context, folders, csv, svg, markdown] {
      const Board board = makeBoard(*folders);
      if (!csv->empty()) writeFileDurably(*csv, boardCsv(board));
      if (!svg->empty()) writeFileDurably(*svg, boardSvg(board));
      if (context.json) {
        nlohmann::ordered_json rows = nlohmann::ordered_json::array();
        for (std::size_t r = 0; r < board.settings.size(); ++r) {
          for (std::size_t d = 0; d < board.dataSets.size(); ++d) {
            const BoardCell& cell = board.cells[r][d];
            if (cell.values.empty()) continue;
            rows.push_back({{"setting", board.settings[r]}, {"data", board.dataSets[d]}, {"seeds", cell.seeds}, {"accuracy", cell.values}, {"mean", cell.mean.value}, {"low95", cell.mean.low}, {"high95", cell.mean.high}, {"interval_of", cell.intervalOf}, {"caution", cautionOf(board, r, d)}});
          }
        }
        printJson({{"cells", rows}, {"notes", board.notes}});
      } else {
        std::fputs((*markdown ? boardMarkdown(board) : boardText(board)).c_str(), stdout);
      }
      return kOk;
    };
  });
}

void addExport(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("export", "Copies the model of a checkpoint to a Hugging Face folder of its own");
  auto from = std::make_shared<std::string>(), to = std::make_shared<std::string>();
  command->add_option("run", *from, "RUN (its newest checkpoint), RUN@STEP, or a checkpoint's folder")->required();
  command->add_option("--output", *to, "New folder")->required();
  addJson(*command, context);
  command->callback([&context, from, to] {
    context.run = [&context, from, to] {
      const std::string folder = context.engine().exportModel(*from, *to);
      if (context.json) printJson({{"output", folder}});
      else std::printf("%s\n", folder.c_str());
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
