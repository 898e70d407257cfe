"""Simplified Chinese of the page `dimensions`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "You keep {n} axes: remove one to keep another.": "已保留 {n} 条轴：移除一条后才能再保留。",
    "Each movie is a point in a space. An axis is a direction in that space, such as “children's ↔ adult”: it orders "
    "the movies, and it can steer your recommendations. No genre was used to place the movies.": (
        "每部电影都是空间中的一个点。轴是空间中的一个方向，例如“儿童 ↔ 成人”：它可以给电影排序，也可以用来调整推荐。电影的位置完全由评分学得，没有使用类型。"
    ),
    "Each movie is a point in a space. An axis is a direction in that space, such as “children's ↔ adult”: it orders "
    "the movies, and it can steer your recommendations.": (
        "每部电影都是空间中的一个点。轴是空间中的一个方向，例如“儿童 ↔ 成人”：它可以给电影排序，也可以用来调整推荐。"
    ),
    "Axes": "轴",
    "Plane": "平面",
    "Your own axis": "自定义轴",
    "How many dimensions?": "需要多少维？",
    # --- words for axes ---
    ", ": "、",
    **{f"{decade}s": f"{decade} 年代" for decade in range(1870, 2040, 10)},
    "low end": "低端",
    "high end": "高端",
    "not {name}": "非{name}",
    "axis {n}": "轴 {n}",
    "axis {n}: {ends}": "轴 {n}：{ends}",
    "axis {n} (unnamed)": "轴 {n}（未命名）",
    "AUC {value:.2f} ({low:.2f}–{high:.2f})": "AUC {value:.2f}（{low:.2f}–{high:.2f}）",
    "rank correlation {value:.2f} ({low:.2f}–{high:.2f})": "秩相关系数 {value:.2f}（{low:.2f}–{high:.2f}）",
    "no verified name": "没有通过验证的名称",
    "It orders held-out movies from {a} to {b}: rank correlation {value:.2f} (95% interval {low:.2f}–{high:.2f}).": (
        "它能把留出的电影按“{a}”到“{b}”排序：秩相关系数 {value:.2f}（95% 区间 {low:.2f}–{high:.2f}）。"
    ),
    "It separates {a} from {b} on held-out movies ({n}-fold cross-validation): AUC {value:.2f} (95% interval "
    "{low:.2f}–{high:.2f}).": (
        "在留出的电影上（{n} 折交叉验证），它能区分“{a}”与“{b}”：AUC {value:.2f}（95% 区间 {low:.2f}–{high:.2f}）。"
    ),
    "It separates {a} from {b} on held-out movies (leave-pair-out): AUC {value:.2f} (95% interval "
    "{low:.2f}–{high:.2f}).": (
        "在留出的电影上（逐对留出），它能区分“{a}”与“{b}”：AUC {value:.2f}（95% 区间 {low:.2f}–{high:.2f}）。"
    ),
    "popularity alone": "仅凭热门程度",
    "release year alone": "仅凭上映年份",
    "{control} reaches {value:.2f}": "{control}可达 {value:.2f}",
    "shuffled labels reach {value:.2f}": "打乱标签后为 {value:.2f}",
    "(Popularity is part of the question, so it is not a control.)": "（热门程度本就是问题的一部分，因此不作对照。）",
    "{name} (AUC {value:.2f}, 95% interval {low:.2f}–{high:.2f})": "{name}（AUC {value:.2f}，95% 区间 "
    "{low:.2f}–{high:.2f}）",
    "Names verified on held-out movies: {list}.": "在留出的电影上验证过的名称：{list}。",
    "Stability when retrained on other users: {stability:.2f}.": ("换一批用户重新训练时的稳定性：{stability:.2f}。"),
    "It orders {order:.1%} of held-out pairs correctly; at least {least:.0%} is required, and chance gives 50%.": "在留出的电影对中，{order:.1%} 的次序正确；至少需要 {least:.0%}，随机为 50%。",
    "There are too few movies to rule out chance.": "电影太少，无法与随机结果区分。",
    "Popularity or the release year alone does as well.": "仅凭热门程度或上映年份也能做到。",
    # --- axes ---
    "This model has no axes yet. To find them (a few seconds to a few minutes), run this in a terminal:": (
        "该模型还没有轴。要寻找轴（需要几秒到几分钟），请在终端运行："
    ),
    "Axes found for a question": "提问得到的轴",
    "Each of these axes answers a question such as “children's or adult?”. AUC: how often the axis orders two "
    "held-out movies, one of each kind, correctly; 0.5 is chance, 1 is perfect.": (
        "每条轴都回答一个问题，例如“儿童还是成人？”。AUC：任取两类中各一部留出的电影，次序正确的比例；0.5 相当于随机，1 表示全对。"
    ),
    "No axis was found for any of the questions.": "所提的问题都没有找到对应的轴。",
    "Not found in this space": "在这个空间里没有找到",
    "Discovered axes": "自动发现的轴",
    "Found by rotation ({method}), without genres or titles. An axis is named only when the name is verified "
    "on held-out movies and the axis is stable when the model is retrained on other users.": (
        "通过旋转（{method}）得到，不使用类型和片名。只有名称在留出的电影上通过验证、且换一批用户重新训练仍稳定的轴才会命名。"
    ),
    "Imported vectors cannot be retrained, so no discovered axis can be verified.": "导入的向量无法重新训练，因此无法验证自动发现的轴。",
    "This model was trained by Spark and cannot be retrained here, so no discovered axis can be verified.": (
        "该模型由 Spark 训练，无法在这里重新训练，因此无法验证自动发现的轴。"
    ),
    "The gain from added dimensions is measured by retraining. This model was trained by Spark: train it again with "
    "recsys train --engine spark --set n_factors=…": (
        "增加维度的收益需要通过重新训练来测量。该模型由 Spark 训练：请用 recsys train --engine spark --set n_factors=… 重新训练。"
    ),
    "The gain from added dimensions is measured by retraining, which imported vectors do not allow.": (
        "增加维度的收益需要通过重新训练来测量，导入的向量无法重新训练。"
    ),
    "A blend has the dimensions of its parts. Their gain is measured on each part, trained alone.": (
        "混合模型的维度来自它的各个部分。维度的收益需在单独训练的各部分上测量。"
    ),
    "No axis has a verified name.": "没有一条轴的名称通过验证。",
    "Stability was not measured, so no discovered axis can be verified. To measure it, run:": (
        "没有测量稳定性，因此无法验证自动发现的轴。要测量，请运行："
    ),
    "{n} unnamed dimensions": "{n} 个未命名的维度",
    "{share:.1%} of variance": "占方差的 {share:.1%}",
    "variance": "方差",
    "stability": "稳定性",
    "Similarity to the matching axis after retraining on other users; an axis is stable from 0.80.": (
        "与换一批用户重新训练后对应轴的相似度；达到 0.80 即为稳定。"
    ),
    # --- the plane ---
    "A plane needs two axes.": "平面需要两条轴。",
    "Horizontal axis": "横轴",
    "Vertical axis": "纵轴",
    "Choose two different axes.": ("请选择两条不同的轴。"),
    "Units: standard deviations of the movies with at least 20 ratings. The lines mark the means.": (
        "单位：至少有 20 条评分的电影的标准差。线条表示平均值。"
    ),
    "The axes are nearly perpendicular (cosine {cosine:.2f}): they measure different things.": (
        "两条轴近乎垂直（余弦 {cosine:.2f}），表达的是不同的内容。"
    ),
    "The axes overlap partly (cosine {cosine:.2f}).": "两条轴有部分重合（余弦 {cosine:.2f}）。",
    "The axes measure nearly the same (cosine {cosine:.2f}).": "两条轴表达的几乎是同一件事（余弦 {cosine:.2f}）。",
    "Hover over a dot for its title; click it for its position.": "指向一个点可查看片名，点击可查看它的位置。",
    # --- one's own axis ---
    "Describe a contrast with at least {n} movies at each end, or in words. You get an axis, and a measure of "
    "how reliable it is.": ("用两端各至少 {n} 部电影，或用文字，描述一种对比。结果是一条轴，并说明它有多可靠。"),
    "How to describe the axis": "如何描述这条轴",
    "With movies": "用电影",
    "In words": "用文字",
    "One end": "一端",
    "The other end": "另一端",
    "{end}: name": "{end}：名称",
    "e.g. cosy": "例如：温馨",
    "{end}: add a movie": "{end}：添加电影",
    "Click a title to remove it.": "点击片名即可移除。",
    "Find this axis": "寻找这条轴",
    "A movie is at both ends: remove it from one of them.": "有一部电影同时在两端，请从其中一端移除。",
    "Each end needs at least {n} movies; there are {low} and {high}. Five or more give a more reliable axis.": (
        "每端至少需要 {n} 部电影，目前为 {low} 部和 {high} 部。五部以上结果更可靠。"
    ),
    "like {title}": "类似《{title}》",
    "Give the two ends different names.": "请给两端取不同的名称。",
    "One end, or two ends separated by `<->`": "一端，或用 `<->` 隔开的两端",
    "Genres, tags, decades or titles, separated by commas: `Horror`, `1940s <-> 1990s` or `Toy Story, Aladdin <-> "
    "Se7en, Saw`. A single end is compared with all other movies.": (
        "类型、标签、年代或片名（英文），多个以逗号分隔：`Horror`、`1940s <-> 1990s` 或 `Toy Story, Aladdin <-> Se7en, Saw`。"
        "只写一端时，与其余所有电影相比。"
    ),
    "Examples: {genres}": "例如：{genres}",
    "Enter a genre, tag, decade or title, such as Horror.": "请输入类型、标签、年代或片名，例如 Horror。",
    "Finding the axis …": "正在寻找这条轴……",
    "Found it.": "找到了。",
    "Not found in this space.": "在这个空间里没有找到。",
    "The interval is wide because there are few movies. Add more at each end for a more reliable axis.": (
        "电影较少，区间较宽：两端多放几部，结果会更可靠。"
    ),
    "Keep for this session": "在本次会话中保留",
    "You can then steer your recommendations along it, and choose it in the tab “Plane”.": (
        "之后可以沿它调整推荐，也可以在“平面”中选择它。"
    ),
    "Show it as": "查看方式",
    "Colours on the map": "在地图上着色",
    "The horizontal axis of a plane": "作为平面的横轴",
    "Kept for this session": "本次会话中保留的轴",
    "Remove": "移除",
    # --- genres ---
    "No axis has a name yet.": "还没有命名的轴。",
    "No genre has ten movies with at least 20 ratings.": "没有一个类型有十部评分不少于 20 条的电影。",
    "Mean position of each genre along each axis, in standard deviations: purple is towards the second end, "
    "orange towards the first, grey is near the mean of all movies. Only movies with at least 20 ratings "
    "count. Similar genres and similar axes are next to each other.": (
        "各类型在各条轴上的平均位置，以标准差计：紫色偏向第二端，橙色偏向第一端，灰色接近所有电影的平均值。只计至少有 20 条评分的电影；相似的类型和轴排在一起。"
    ),
    "{genre}, {n} movies: {value} on {low} ↔ {high}": "{genre}，{n} 部电影：在“{low} ↔ {high}”上为 {value}",
    "Mean position of each genre along each axis; the table below has the same numbers": (
        "各类型在各条轴上的平均位置；下方表格中有同样的数字"
    ),
    "movies": "电影数",
    "genre": "类型",
    # --- how many ---
    "One axis: a line": "一条轴：一条线",
    "All movies, ordered from {low} to {high}.": "所有电影排成一列，从“{low}”到“{high}”。",
    "A model with one dimension reaches nDCG@10 {value:.3f}.": "一维模型的 nDCG@10 为 {value:.3f}。",
    "From {low} to {high}: {titles}": "从“{low}”到“{high}”：{titles}",
    "Two axes: a plane": "两条轴：一个平面",
    "A second axis separates movies that are close on the first.": "第二条轴把在第一条轴上相近的电影分开。",
    "A model with two dimensions reaches {value:.3f} ({gain:+.3f}).": "二维模型达到 {value:.3f}（{gain:+.3f}）。",
    "Well-known movies on a plane of two axes: {titles}": "两条轴平面上的知名电影：{titles}",
    "{d} dimensions": "{d} 维",
    "This model describes every movie by {d} numbers. Two movies can be close in one dimension and far apart "
    "in another; a user's taste is a direction across all of them.": (
        "该模型用 {d} 个数描述每部电影。两部电影可能在一个维度上相近、在另一个维度上相距很远，而一个人的口味是贯穿所有维度的一个方向。"
    ),
    "The gain from added dimensions has not been measured for this model. To measure it, run this in a terminal:": (
        "还没有测量过该模型增加维度带来的提升。要测量，请在终端运行："
    ),
    "Only one number of dimensions was tried: {best}.": "只试过一种维数：{best} 维。",
    "**Best of those tried: {best}**. No other 95% interval overlaps with its own.": (
        "**在试过的维数中 {best} 维最佳**：其 95% 区间与其他维数均无重叠。"
    ),
    "{first} to {last}": "{first} 到 {last}",
    "{others} and {last}": "{others} 和 {last}",
    "**The 95% intervals of {numbers} dimensions overlap**, so none of these is clearly the best. The highest "
    "mean is that of {best}.": "**{numbers} 维的 95% 区间有重叠**：无法断定其中哪一个最好。均值最高的是 {best} 维。",
    "dimensions": "维数",
    "gain": "提升",
    "per dimension": "每增加一维",
    "nDCG@10 by number of dimensions, with 95% intervals": "nDCG@10 随维数的变化，附 95% 区间",
    "nDCG@10: how well the top ten match the held-out ratings; 1 is perfect. For each number of dimensions, "
    "the model was retrained on 80% of each user's ratings and evaluated on the rest.": (
        "nDCG@10：列表前十名与留出评分的吻合程度，最高为 1。每个维数都用每人 80% 的评分重新训练，并用其余评分检验。"
    ),
    # --- compression ---
    "A taste in a few numbers": "用几个数描述口味",
    "How much of a taste fits into a few numbers has not been measured for this model. It takes about two minutes for "
    "100,000 ratings. To measure it, run this in a terminal:": (
        "还没有为该模型测量几个数能容纳多少口味。10 万条评分约需两分钟。要测量，请在终端运行："
    ),
    "What is remembered": "记住了多少",
    "movies in question (fewer is better)": "待猜的电影数（越少越好）",
    "How many equally likely movies are left to guess from, by number of dimensions, for each model": (
        "各模型在不同维数下，还要在多少部同样可能的电影中猜"
    ),
    "What it is worth for recommendations": "对推荐有多大用处",
    "nDCG@10 by number of dimensions, for each model, with 95% intervals": "各模型的 nDCG@10 随维数的变化，附 95% 区间",
    "Half of the ratings of {n:,} viewers, from whom the models have not learned, are turned into numbers. In the first "
    "chart, the numbers are asked for these movies; in the second, for the others. pca: principal components; ials: matrix "
    "factorization; vae: a neural network. Bars: 95% intervals.": (
        "把 {n:,} 位观众的一半评分转换成几个数，模型训练时没有用到这些观众。第一张图用这些数猜同样的电影，第二张图用它们推荐其余的电影。"
        "pca：主成分；ials：矩阵分解；vae：神经网络。竖线为 95% 区间。"
    ),
    "{n} for {model}": "{model} 为 {n}",
    "With {few} numbers about you, guessing a movie that you rated is like picking one of {left:,.0f}; with {many}, one "
    "of {least:,.0f}; knowing only what is popular, one of {all:,.0f}. But remembering more is not recommending better: "
    "the number of dimensions with the highest nDCG@10 is {best}.": (
        "用 {few} 个数描述你时，猜中一部你评过的电影就像从 {left:,.0f} 部里挑一部；用 {many} 个数时是 {least:,.0f} 部；"
        "只知道哪些电影热门时是 {all:,.0f} 部。但记得更多不等于推荐得更好：nDCG@10 最高的维数，{best}。"
    ),
}
