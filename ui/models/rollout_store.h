// RolloutStore: the saved responses of one run as facts, read on a thread of its own in parts, so that a file of 100,000 rows
// never holds the window; and RolloutTable: the rows that the query takes, sorted. Owned by the Rollouts page; UI thread.
#pragma once

#include <QAbstractTableModel>
#include <QElapsedTimer>
#include <QObject>
#include <QTimer>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "engine/core/failure.h"
#include "engine/core/rollout_index.h"
#include "ui/models/rollout_query.h"

class QImage;

namespace cuescope {

inline constexpr int kAllSteps = -2;

class RolloutStore : public QObject {
  Q_OBJECT
 public:
  explicit RolloutStore(QObject* parent = nullptr) : QObject(parent) {}
  ~RolloutStore() override;

  /// A folder of N.jsonl files, or one file; "" closes. Nothing is read before setStep().
  void open(const QString& folderOrFile);
  QString source() const { return m_source; }
  /// Steps that have saved responses. Of one file with many steps: those that were read so far.
  std::vector<int> steps() const;
  bool hasStep(int step) const;
  /// Reads the rows of one step (or of all: kAllSteps).
  void setStep(int step);
  int step() const { return m_step; }
  /// Looks for new files and for lines that were appended since.
  void refresh();

  const std::vector<RolloutFacts>& rows() const { return m_rows; }
  QString fileOf(const RolloutFacts& facts) const;
  bool loading() const { return m_loading; }
  double fraction() const { return m_fraction; }  // of the bytes, while loading
  int problems() const { return m_problems; }
  QString firstProblem() const { return m_firstProblem; }
  /// Records of the same prompt in all steps; answered by sameFound, the newest question wins.
  void findSame(const RolloutFacts& facts);

 Q_SIGNALS:
  void reset();           // rows() is another list
  void rowsAdded(int first);
  void loadingChanged();
  void failed(const cuescope::Failure& failure);
  void sameFound(const std::vector<cuescope::RolloutFacts>& rows);

 private:
  void load();
  QString m_source;
  bool m_single = false;
  int m_step = kAllSteps;
  std::vector<RolloutFile> m_files;
  std::map<int, std::shared_ptr<RolloutScanner>> m_scanners;  // by file; touched by the loader alone while it runs
  std::vector<RolloutFacts> m_rows;
  int m_generation = 0, m_question = 0;
  bool m_loading = false, m_again = false;
  double m_fraction = 0;
  int m_problems = 0;
  QString m_firstProblem;
  std::jthread m_loader, m_searcher;  // last: they end before what they use
};

class RolloutTable : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Sample, Prompt, Step, Tokens, Reward, MeanGap, MaxGap, Spark, Columns };
  explicit RolloutTable(RolloutStore& store, QObject* parent = nullptr);

  void setQuery(const RolloutQuery& query);
  /// Mean |gap| at least this; NaN: no threshold.
  void setThreshold(double nats);
  double threshold() const { return m_threshold; }
  /// Only rows of this step (a single file holds many); kAllSteps: all.
  void setStep(int step);
  void setPictures(std::function<QImage(const RolloutFacts&)> thumbnail) { m_thumbnail = std::move(thumbnail); }
  void pictureArrived(const QString& sampleId);

  const RolloutFacts* facts(int row) const;
  int rowOf(const QString& sampleId) const;
  int rowOf(const RolloutFacts& facts) const;
  int taken() const { return int(m_visible.size()); }
  int considered() const { return m_considered; }
  bool filtering() const { return m_filterAt < int(m_store.rows().size()); }
  /// Values of mean |gap| of all rows that pass everything but the threshold, for the histogram.
  const std::vector<float>& gaps() const { return m_gaps; }
  QByteArray csv() const;

  int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : int(m_visible.size()); }
  int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : Columns; }
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  void sort(int column, Qt::SortOrder order) override;
  int sortColumn() const { return m_sortColumn; }
  Qt::SortOrder sortOrder() const { return m_sortOrder; }
  static QString columnTitle(int column);

 Q_SIGNALS:
  void aboutToRebuild();
  void rebuilt();  // another set or order of rows

 private:
  void restart();
  void filterSome();
  void publish();
  QString cell(const RolloutFacts& facts, int column) const;

  RolloutStore& m_store;
  RolloutQuery m_query;
  double m_threshold;
  int m_step = kAllSteps;
  std::function<QImage(const RolloutFacts&)> m_thumbnail;
  std::vector<int> m_visible, m_next;
  std::vector<float> m_gaps, m_nextGaps;
  int m_filterAt = 0, m_considered = 0, m_nextConsidered = 0;
  int m_sortColumn = MeanGap;
  Qt::SortOrder m_sortOrder = Qt::DescendingOrder;
  QTimer m_timer;
  QElapsedTimer m_sincePublished;
};

/// Gap of each bin, for the delegate that draws it.
inline constexpr int kSparkRole = Qt::UserRole + 1;

}  // namespace cuescope
