"""Simplified Chinese of the page `batch`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "Only the owner of this page can generate lists.": "只有本页面的所有者才能批量生成列表。",
    "Comparing the lists …": "正在比较列表……",
    "What to do": "要做什么",
    "Generate lists": "生成列表",
    "Compare two models": "比较两个模型",
    # --- make lists ---
    "Recommendations for many users at once, to download as a file.": "一次为许多用户生成推荐，并下载为文件。",
    "The batch at this address no longer exists: batches are kept for one day.": "此地址对应的批次已不存在：批次只保留一天。",
    "Users": "用户",
    "All users": "所有用户",
    "Chosen users": "指定用户",
    "Users from a file": "从文件导入用户",
    "Movies per user": "每人电影数",
    "From 1 to {most}.": "1 到 {most}。",
    "Exclude rated movies": "不含已评分的电影",
    "Generate": "生成",
    "{users:,} users, up to {rows:,} rows": "{users:,} 人，最多 {rows:,} 行",
    "{rows:,} rows exceed the app's limit of {most:,}. Choose fewer movies, or run this in a terminal:": (
        "共 {rows:,} 行，超过此处上限 {most:,} 行。请减少电影数，或在终端运行："
    ),
    "No users given. Enter at least one user id, or choose a file.": (
        "还没有指定用户。请输入至少一个用户 ID，或选择一个文件。"
    ),
    "This batch cannot be generated: {why}": "无法生成：{why}",
    "User ids, separated by commas or one per line": "用户 ID，用逗号分隔或每行一个",
    "Text or CSV file with one user id per line, or a Parquet table": (
        "用户 ID 文件：文本或 CSV（每行一个），或 Parquet 表"
    ),
    "The column user_id is used if it exists, otherwise the first column. Example ids: {example}.": (
        "如有名为 user_id 的列则使用该列，否则使用第一列。ID 示例：{example}。"
    ),
    "Loading the model and the data …": "正在加载模型和数据……",
    "{done:,} of {total:,} users": "已完成 {done:,} / {total:,} 人",
    "{time} left": "剩余 {time}",
    "{n} s": "{n} 秒",
    "{n} min": "{n} 分钟",
    "{n:.1f} h": "{n:.1f} 小时",
    "{n} other batches are running; yours is queued.": "另有 {n} 个批次正在运行，你的批次正在排队。",
    "{n} more ahead of it.": "前面还有 {n} 个。",
    "Cancel": "取消",
    "Internal error. See the server log for details.": "应用内部出错，详情见服务器日志。",
    "Stopped after {done:,} of {total:,} users.": "已停止：完成 {done:,} / {total:,} 人。",
    "Stopped before it finished.": "未完成即已停止。",
    "The finished part is kept: resume the batch, or discard it.": "已完成的部分会保留，可以继续，也可以放弃。",
    "Only the session that started it can resume it.": "只有发起它的会话才能继续。",
    "Resume": "继续",
    "Discard": "放弃",
    "Delete": "删除",
    "Recommendations": "推荐列表",
    "without rated movies": "不含已评分的电影",
    "including rated movies": "含已评分的电影",
    "Movies per user: {k}, {seen}; model: {model}": "每人 {k} 部，{seen}，模型：{model}",
    "Rows": "行数",
    "New users": "新用户",
    "They are not in the training data. Their vectors were computed from their ratings (fold-in).": (
        "这些用户不在训练数据中，其向量由他们的评分计算得出（fold-in）。"
    ),
    "No usable ratings": "没有可用评分",
    "They get the most popular movies.": ("向这些用户推荐的是最热门的电影。"),
    "Lines of your list that were not used: {n:,}. All other users got recommendations.": (
        "你的名单中有 {n:,} 行未使用，其余用户都已生成推荐。"
    ),
    "Lines not used": "未使用的行",
    "line": "行号",
    "text": "内容",
    "reason": "原因",
    "user is listed twice": "用户重复",
    "user is not in the data": "数据中没有该用户",
    "Columns: user_id, rank (1 is best), item_id, score. The files are kept for one day; anyone with this "
    "page's address can download them.": (
        "各列：user_id（用户）、rank（名次，1 为最佳）、item_id（电影）、score（得分）。文件保留一天，凭本页地址即可下载。"
    ),
    "Some ids start with =, +, - or @. A spreadsheet may run these CSV cells as formulas.": (
        "部分 ID 以 =、+、- 或 @ 开头：用电子表格打开 CSV 时，这些单元格可能会被当作公式执行。"
    ),
    "Look up a user": "查找用户",
    "User id": "用户 ID",
    "{user} is not in this batch.": "此批次中没有 {user}。",
    "The model no longer exists, so ids are shown instead of titles.": "模型已不存在，因此以 ID 代替片名。",
    "user": "用户",
    "title": "片名",
    "year": "年份",
    "genres": "类型",
    "score": "得分",
    "First {n:,} of {all:,} rows.": "共 {all:,} 行，显示前 {n:,} 行。",
    # --- compare ---
    "What two models trained on the same data recommend to the same user.": (
        "两个用同一数据训练的模型，分别向同一用户推荐什么。"
    ),
    "Only one model was trained on {data}. Train another one to compare:": (
        "只有一个模型是用数据 {data} 训练的。再训练一个即可比较："
    ),
    "Model A": "模型 A",
    "Model B": "模型 B",
    "Choose two different models.": "请选择两个不同的模型。",
    "User": "用户",
    "Choose a user id, or type any of the {n:,}.": "从列表选择一个 ID，或输入全部 {n:,} 个中的任意一个。",
    "✓ in both lists · ▲ ▼ ranks up or down from A to B · ○ only in this list": (
        "✓ 两个列表都有 · ▲ ▼ 从 A 到 B 上升或下降的名次 · ○ 仅在此列表"
    ),
    "only here": "仅在此",
    "rank {rank} in B": "B 中第 {rank}",
    "same rank": "名次相同",
    "In both lists": "两边都有",
    "{n} of {k}": "{n} / {k}",
    "Movies in both lists (overlap@{k}).": "两个列表共有的电影（overlap@{k}）。",
    "Rank-biased overlap": "偏重名次的重合度",
    "Agreement of the two rankings, weighted towards the top: 1 means the same list, 0 means nothing in "
    "common (p = 0.9).": ("靠前名次权重更高的一致程度（RBO）：1 为完全相同，0 为毫无重合（p = 0.9）。"),
    "The share of users who rated a movie, averaged over the list.": "列表中的电影平均被多大比例的人评过分。",
    "Popularity A": "热门度 A",
    "Popularity B": "热门度 B",
    "{points:+.1f} points": "{points:+.1f} 个百分点",
    "Random sample of {n:,} users": "随机抽取的 {n:,} 位用户",
    "All {n:,} users": "全部 {n:,} 位用户",
    "On average, {common:.1f} of {k} movies are in both lists (rank-biased overlap {rbo:.2f}); two random "
    "lists would share {chance:.2f}. Mean popularity: {a} of all users rated a movie in A's lists, {b} one in "
    "B's.": (
        "平均 {k} 部电影中有 {common:.1f} 部两边都有（偏重名次的重合度 {rbo:.2f}）；随机列表只会有 {chance:.2f} 部。平均热门度：A 列表中的电影被 {a} "
        "的用户评过分，B 为 {b}。"
    ),
    "Number of users by the number of movies in both lists, of {k}.": (
        "两个列表的 {k} 部电影中，共有几部的各有多少人。"
    ),
    "{n} of {k} in both lists: {users:,} users": "{k} 部中有 {n} 部两边都有：{users:,} 位用户",
    "movies in both lists (of {k})": "两个列表共有的电影数（共 {k} 部）",
    "users": "用户数",
}
