"""Simplified Chinese of the page `batch`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "What to do": "要做什么",
    "Make lists": "生成列表",
    "Compare two models": "比较两个模型",
    # --- make lists ---
    "Recommendations for many people at once, to take away as a file.": "一次为许多人生成推荐，并下载为文件。",
    "The batch of this address is gone: batches are kept for a day.": "此地址对应的批次已不存在：批次只保留一天。",
    "For whom?": "为谁生成？",
    "Everyone": "所有人",
    "Some, typed in": "输入部分用户",
    "Some, from a file": "从文件导入",
    "Movies for each": "每人电影数",
    "From 1 to {most}.": "1 到 {most}。",
    "Leave out what they have rated": "不含已评分的电影",
    "Generate": "生成",
    "People: {users:,}; rows: up to {rows:,}": "{users:,} 人，最多 {rows:,} 行",
    "{rows:,} rows are more than the {most:,} that are made here. Choose fewer movies, or run this in a terminal:": (
        "共 {rows:,} 行，超过此处上限 {most:,} 行。请减少电影数，或在终端运行："
    ),
    "Nobody is named yet. Type one user id or more, or choose a file.": (
        "还没有指定任何人。请输入至少一个用户 ID，或选择一个文件。"
    ),
    "That cannot be made: {why}": "无法生成：{why}",
    "User ids, with commas or one a line": "用户 ID，用逗号分隔或每行一个",
    "A text or CSV file of user ids, one a line, or a Parquet table": (
        "用户 ID 文件：文本或 CSV（每行一个），或 Parquet 表"
    ),
    "A column called user_id is used if there is one, else the first. Ids look like {example}.": (
        "如有名为 user_id 的列则使用该列，否则使用第一列。ID 形如 {example}。"
    ),
    "Reading the model and the data …": "正在读取模型和数据……",
    "{done:,} of {total:,} people": "已完成 {done:,} / {total:,} 人",
    "{time} left": "剩余 {time}",
    "{n} s": "{n} 秒",
    "{n} min": "{n} 分钟",
    "{n:.1f} h": "{n:.1f} 小时",
    "{n} others are running; yours waits.": "另有 {n} 个批次正在运行，你的批次正在排队。",
    "{n} more before it.": "前面还有 {n} 个。",
    "Cancel": "取消",
    "Something in the app is broken; the server's log says what.": "应用内部出错，详情见服务器日志。",
    "Stopped after {done:,} of {total:,} people.": "已停止：完成 {done:,} / {total:,} 人。",
    "Stopped before it was finished.": "未完成即已停止。",
    "What was finished is kept; go on from there, or discard it.": "已完成的部分会保留，可以继续，也可以放弃。",
    "Only the session that began it can go on.": "只有发起它的会话才能继续。",
    "Go on": "继续",
    "Discard": "放弃",
    "Delete": "删除",
    "The lists": "推荐列表",
    "without what they have rated": "不含已评分的电影",
    "with what they have rated": "含已评分的电影",
    "Movies for each: {k}, {seen}, by {model}": "每人 {k} 部，{seen}，模型：{model}",
    "People": "人数",
    "Rows": "行数",
    "New to the model": "模型未见过",
    "Training never saw them; their place was computed from their ratings.": (
        "训练时没有见过这些人，他们的位置由其评分计算得出。"
    ),
    "Nothing known": "没有信息",
    "They have no ratings that count, so they get the most watched movies.": (
        "这些人没有可用的评分，因此得到的是观看最多的电影。"
    ),
    "Lines of your list that could not be used: {n:,}. Everyone else has a list.": (
        "你的名单中有 {n:,} 行无法使用，其余的人都已生成列表。"
    ),
    "Which, and why": "哪些行，为什么",
    "line": "行号",
    "what it says": "内容",
    "why not": "原因",
    "user is listed twice": "用户重复",
    "user is not in the data": "数据中没有该用户",
    "Columns: user_id, rank (1 is best), item_id, score. Kept for a day, for whoever has this page's address.": (
        "各列：user_id（用户）、rank（名次，1 为最佳）、item_id（电影）、score（得分）。保留一天，凭本页地址即可访问。"
    ),
    "Some ids begin with =, +, - or @: a spreadsheet may run such cells of the CSV as formulas.": (
        "部分 ID 以 =、+、- 或 @ 开头：用电子表格打开 CSV 时，这些单元格可能会被当作公式执行。"
    ),
    "Look up one person": "查找某个人",
    "A user id": "用户 ID",
    "{user} is not in this batch.": "此批次中没有 {user}。",
    "The model is gone, so there are ids in place of titles.": "模型已不存在，因此以 ID 代替片名。",
    "user": "用户",
    "title": "片名",
    "year": "年份",
    "genres": "类型",
    "score": "得分",
    "The first {n:,} of {all:,} rows.": "共 {all:,} 行，显示前 {n:,} 行。",
    # --- compare ---
    "What two models of the same data recommend to the same person.": (
        "两个用同一数据训练的模型，分别向同一个人推荐什么。"
    ),
    "Only one model of the data {data} is here. Train another to compare them:": (
        "这里只有一个用数据 {data} 训练的模型。再训练一个即可比较："
    ),
    "Model A": "模型 A",
    "Model B": "模型 B",
    "Choose two different models.": "请选择两个不同的模型。",
    "Person": "用户",
    "Choose an id, or type one of the {n:,}.": "从列表选择一个 ID，或输入全部 {n:,} 个中的任意一个。",
    "✓ in both lists · ▲ ▼ places up or down from A to B · ○ in this list only": (
        "✓ 两个列表都有 · ▲ ▼ 从 A 到 B 上升或下降的名次 · ○ 仅在此列表"
    ),
    "only here": "仅在此",
    "{rank} in B": "B 中第 {rank}",
    "same place": "名次相同",
    "In both lists": "两边都有",
    "{n} of {k}": "{n} / {k}",
    "Movies that both lists have: overlap@{k}.": "两个列表共有的电影：overlap@{k}。",
    "Rank-biased overlap": "偏重名次的重合度",
    "Agreement that counts the first places most: 1 is the same list, 0 has nothing in common (p = 0.9).": (
        "靠前名次权重更高的一致程度（RBO）：1 为完全相同，0 为毫无重合（p = 0.9）。"
    ),
    "The share of all people who rated a movie, on average over the list.": "列表中的电影平均被多大比例的人评过分。",
    "Popularity A": "热门度 A",
    "Popularity B": "热门度 B",
    "{points:+.1f} points": "{points:+.1f} 个百分点",
    "Over a random sample of {n:,} people": "随机抽取的 {n:,} 人的总体情况",
    "Over all people ({n:,})": "全部 {n:,} 人的总体情况",
    "On average {common:.1f} of {k} movies are in both lists (rank-biased overlap {rbo:.2f}); two random lists "
    "would share {chance:.2f}. The movies of A were rated by {a} of all people, those of B by {b}.": (
        "平均 {k} 部电影中有 {common:.1f} 部两边都有（偏重名次的重合度 {rbo:.2f}）；随机列表只会有 {chance:.2f} 部。"
        "A 的电影平均被 {a} 的人评过分，B 的被 {b}。"
    ),
    "How many people share how many of {k} movies between the two lists.": (
        "两个列表的 {k} 部电影中，共有几部的各有多少人。"
    ),
    "{n} of {k} in both lists; people: {people:,}": "{k} 部中有 {n} 部两边都有：{people:,} 人",
    "movies in both lists, of {k}": "两个列表共有的电影数（共 {k} 部）",
    "people": "人数",
}
