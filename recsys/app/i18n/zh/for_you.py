"""Simplified Chinese of the page `for_you`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    # --- choice of user ---
    "Recommend for": "为谁推荐",
    "Me": "我自己",
    "View as another user": "以其他用户的身份查看",
    "User id (one of {n:,})": "用户编号（共 {n:,} 位）",
    "Random user": "随机用户",
    "{n:,} ratings, {mean:.1f} on average": "{n:,} 条评分，平均 {mean:.1f} 分",
    "There is no user with the id {id}.": "没有编号为 {id} 的用户。",
    "no ratings": "没有评分",
    "User {id}": "用户 {id}",
    # --- my ratings ---
    "Which movies have you seen?": "你看过哪些电影？",
    "Or start with a few well-known movies:": "也可以从大家熟悉的电影开始：",
    "Or start with a few of these:": "也可以从以下电影开始：",
    "You rated {n}": "已评分 {n} 部",
    "No ratings yet": "还没有评分",
    "You": "你",
    "Start over": "重新开始",
    "Show {n} more": "再显示 {n} 部",
    "{n} hidden": "已隐藏 {n} 部",
    "seen": "看过",
    "not for me": "不感兴趣",
    "Unhide": "取消隐藏",
    # --- import ---
    "Import": "导入",
    "Import your ratings from Letterboxd (Settings → Data → Export: ratings.csv, or the whole zip) or IMDb "
    "(Your ratings → Export). They are stored only in this browser.": (
        "导入 Letterboxd（Settings → Data → Export，ratings.csv 或整个 zip）或 IMDb（Your ratings → Export）的评分。"
        "评分只存储在此浏览器中。"
    ),
    "Ratings file": "评分文件",
    "{site}: found {found} of {n} movies.": "{site}：{n} 部电影中找到 {found} 部。",
    "Not in this collection:": "这里没有的电影：",
    "Reading the file …": "正在读取文件……",
    "Skipped lines: {n:,}.": "已跳过的行：{n:,}。",
    "title": "片名",
    "year": "年份",
    "stars": "星级",
    "With this model, low stars only hide a movie; they do not keep similar ones away.": (
        "对该模型，低星只会隐藏这部电影，不会减少类似电影的推荐。"
    ),
    "This model takes every rating as interest, even low stars: movies like the one you disliked may rise.": (
        "该模型把每个评分都视为兴趣，低星也不例外：与你不喜欢的电影相似的片子可能会上升。"
    ),
    # --- controls ---
    "Filter": "筛选",
    "Genres": "类型",
    "Years": "年份",
    "Minimum number of ratings": "最少评分数",
    "Surprise": "惊喜",
    "Novelty": "新颖",
    "Higher values favour lesser-known movies.": "数值越大，越偏向少有人知的电影。",
    "Diversity": "多样",
    "Higher values make the list more varied.": "数值越大，列表越多样。",
    "Adjust mood": "调整氛围",
    "This model has no item vectors, so the mood cannot be adjusted.": "该模型没有电影向量，无法调整氛围。",
    "Rate a few movies first.": "请先评几部电影。",
    "Nudge your list; 0 = as is.": "微调你的列表；0 表示不变。",
    "{evidence} on held-out movies": "在留出的电影上 {evidence}",
    # --- recommendations ---
    "Watch next": "接下来看",
    "Only movies in the region you selected on the map.": "仅推荐你在地图上所选区域内的电影。",
    "No movies are left to recommend. Relax a filter or clear the selection on the map.": (
        "没有可推荐的电影了。请放宽筛选条件，或清除地图上的选区。"
    ),
    "Because you liked {titles}": "因为你喜欢 {titles}",
    "Because they liked {titles}": "因为该用户喜欢 {titles}",
    " and ": " 和 ",
    "More like this": "更多类似",
    "Not for me": "不感兴趣",
    "Seen it": "看过了",
    "Stop recommending this movie": "不再推荐这部电影",
    "Stop recommending this movie, and rate it if you like": "不再推荐这部电影，也可以顺手评分",
    "This model counts {least:g} stars or more as a like, and you have none yet. For now: the most watched.": (
        "该模型把 {least:g} 星及以上视为喜欢，而你还没有这样的评分。目前显示的是最多人看过的电影。"
    ),
    "Rate a few movies to make this yours. For now: the most watched.": (
        "评几部电影，列表就会符合你的口味。目前显示的是最多人看过的电影。"
    ),
    "Rate a few movies to make this yours.": "评几部电影，列表就会符合你的口味。",
    "This user has no ratings that the model can use. For now: the most watched.": (
        "该用户没有模型可用的评分。目前显示的是最多人看过的电影。"
    ),
    # --- map ---
    "recommended, rank {rank}": "推荐，第 {rank} 位",
    "Drag to move. Click, then scroll to zoom. Hover over a dot for its title; click it for similar movies.": (
        "拖动可移动地图，点击后可用滚轮缩放。将指针移到圆点上可查看片名，点击可查看相似的电影。"
    ),
    "Cluster": "聚类",
    "Genre": "类型",
    "Year of release": "上映年份",
    "Similarity map": "相似度地图",
    "Similarity map (UMAP)": "相似度地图（UMAP）",
    "Similarity map (PaCMAP)": "相似度地图（PaCMAP）",
    "Two axes": "两条轴",
    "Simple projection": "简单投影",
    "Map": "地图",
    "Colours": "颜色",
    "{kept:.0%} of a movie's closest matches are also its neighbours here.": (
        "与一部电影最相近的电影中，有 {kept:.0%} 在图上也是它的邻居。"
    ),
    "Mean share of a movie's 15 nearest neighbours in the full space that are also among its 15 nearest on the "
    "map. Trustworthiness: {trust:.2f}.": (
        "一部电影在完整空间中最近的 15 个邻居里，在图上仍属于最近 15 个的平均比例。可信度：{trust:.2f}。"
    ),
    # --- selected movie ---
    "Close": "关闭",
    "Details": "查看详情",
    "similarity": "相似度",
    "Cosine similarity; 1 means the same direction in the space": "余弦相似度；1 表示空间中的方向相同",
}
