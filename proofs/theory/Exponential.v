(** What the theory needs of exp and log: a record over a real closed field.
    Reals.v gives the instance on Coq's real numbers. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** exp is a morphism above its tangent at 0, strictly; log is its inverse. *)
Record exponential (R : rcfType) := Exponential {
  ex : R -> R;
  ln : R -> R;
  exD : forall x y, ex (x + y) = ex x * ex y;
  ex_ge : forall x, 1 + x <= ex x;
  ex_eq : forall x, ex x = 1 + x -> x = 0;
  exK : forall x, ln (ex x) = x;
  lnK : forall x, 0 < x -> ex (ln x) = x }.

Section Theory.
Variables (R : rcfType) (E : exponential R).
Local Notation e := (ex E).
Local Notation ln := (ln E).

Lemma ex0 : e 0 = 1.
Proof.
have p : 0 < e 0 by rewrite (lt_le_trans _ (ex_ge E 0)) // addr0.
have := exD E 0 0; rewrite addr0 => /eqP.
by rewrite -{1}[e 0]mulr1 (can_eq (mulKf (lt0r_neq0 p))) eq_sym => /eqP.
Qed.
Lemma exV x : e x * e (- x) = 1.
Proof. by rewrite -exD subrr ex0. Qed.
Lemma ex_gt0 x : 0 < e x.
Proof.
have xN0 : e x != 0.
  by apply/eqP => h0; have := exV x; rewrite h0 mul0r => /eqP; rewrite eq_sym oner_eq0.
rewrite lt_neqAle eq_sym xN0 /=.
have -> : x = x / 2%:R + x / 2%:R by field.
by rewrite exD; apply: sqr_ge0.
Qed.
Lemma exN x : e (- x) = (e x)^-1.
Proof.
have xN : e x != 0 by rewrite gt_eqF // ex_gt0.
by apply: (mulfI xN); rewrite exV mulfV.
Qed.
Lemma ex_lt x y : x < y -> e x < e y.
Proof.
rewrite -subr_gt0 => d; have -> : y = x + (y - x) by ring.
rewrite exD -[X in X < _]mulr1 ltr_pmul2l ?ex_gt0 //.
by apply: lt_le_trans (ex_ge E _); rewrite ltr_addl.
Qed.
Lemma ex_le x y : x <= y -> e x <= e y.
Proof. by rewrite le_eqVlt => /orP[/eqP->//|/ex_lt/ltW]. Qed.
Lemma ex_inj : injective e.
Proof. by move=> x y h; rewrite -(exK E x) h exK. Qed.
Lemma ln_le x y : 0 < x -> x <= y -> ln x <= ln y.
Proof.
move=> x0 xy; have y0 := lt_le_trans x0 xy.
by rewrite leNgt; apply/negP => /ex_lt; rewrite !lnK // ltNge xy.
Qed.
Lemma ln_inj x y : 0 < x -> 0 < y -> ln x = ln y -> x = y.
Proof. by move=> x0 y0 h; rewrite -(lnK E x0) h lnK. Qed.
Lemma ln_lt x y : 0 < x -> x < y -> ln x < ln y.
Proof.
move=> x0 xy; rewrite lt_neqAle ln_le ?ltW // andbT; apply/eqP => h.
by have := ln_inj x0 (lt_trans x0 xy) h => exy; move: xy; rewrite exy ltxx.
Qed.
Lemma lnM x y : 0 < x -> 0 < y -> ln (x * y) = ln x + ln y.
Proof. by move=> x0 y0; rewrite -{1}(lnK E x0) -{1}(lnK E y0) -exD exK. Qed.
Lemma ln1 : ln 1 = 0.
Proof. by rewrite -ex0 exK. Qed.
Lemma ln_ge0 x : 1 <= x -> 0 <= ln x.
Proof. by move=> x1; rewrite -ln1 ln_le ?ltr01. Qed.
Lemma lnV x : 0 < x -> ln x^-1 = - ln x.
Proof.
move=> x0; apply/eqP; rewrite -addr_eq0 -lnM ?invr_gt0 //.
by rewrite mulVf ?ln1 ?(lt0r_neq0 x0).
Qed.
(** ln x <= x - 1 *)
Lemma ln_le_sub1 x : 0 < x -> ln x <= x - 1.
Proof. by move=> x0; have := ex_ge E (ln x); rewrite lnK // ler_subr_addl. Qed.

(** ** Jensen's inequality for exp, with its case of equality:
    exp (sum p_k u_k) <= sum p_k exp u_k, equal exactly when u is constant. *)
Section Jensen.
Variables (K : nat) (p u : 'I_K -> R).
Hypotheses (p0 : forall k, 0 < p k) (p1 : \sum_k p k = 1).
Let m := \sum_k p k * u k.
Let S := \sum_k p k * e (u k).

Lemma jensen_gap : S = e m * (1 + \sum_k p k * (e (u k - m) - (1 + (u k - m)))).
Proof.
have -> : \sum_k p k * (e (u k - m) - (1 + (u k - m)))
   = \sum_k p k * e (u k - m) - 1.
  under eq_bigr do rewrite mulrBr mulrDr mulr1 mulrBr.
  rewrite sumrB; congr (_ - _); rewrite big_split /= sumrB p1 -mulr_suml p1.
  by rewrite -/m mul1r subrr addr0.
rewrite addrC subrK mulr_sumr; apply: eq_bigr => k _.
by rewrite mulrCA -exD addrC subrK.
Qed.
Let gap_ge0 k : 0 <= p k * (e (u k - m) - (1 + (u k - m))).
Proof. by rewrite mulr_ge0 ?(ltW (p0 k)) // subr_ge0 ex_ge. Qed.
Lemma jensen_exp : e m <= S.
Proof.
rewrite jensen_gap -[X in X <= _]mulr1 ler_pmul2l ?ex_gt0 // ler_addl.
exact: sumr_ge0.
Qed.
Lemma jensen_le : m <= ln S.
Proof. by rewrite -[m](exK E); apply: ln_le (ex_gt0 _) jensen_exp. Qed.
Lemma jensen_eq : ln S = m <-> forall k, u k = m.
Proof.
split=> [h k|h]; last first.
  have -> : S = e m; last by rewrite exK.
  rewrite /S; under eq_bigr do rewrite h.
  by rewrite -mulr_suml p1 mul1r.
have Sm : S = e m.
  by apply: ln_inj; rewrite ?ex_gt0 ?(lt_le_trans _ jensen_exp) ?ex_gt0 // h exK.
have : \sum_k p k * (e (u k - m) - (1 + (u k - m))) = 0.
  have := jensen_gap; rewrite Sm -[X in X = _]mulr1.
  move/(mulfI (lt0r_neq0 (ex_gt0 m)))/eqP.
  by rewrite -[X in X == _]addr0 (inj_eq (addrI _)) eq_sym => /eqP.
move/eqP; rewrite psumr_eq0 // => /allP/(_ k (mem_index_enum _)) /=.
rewrite mulf_eq0 (gt_eqF (p0 k)) /= subr_eq0 => /eqP/ex_eq/eqP.
by rewrite subr_eq0 => /eqP.
Qed.
End Jensen.

(** ** Log-sum-exp and softmax *)
Section LogSumExp.
Variable K : nat.
Implicit Types u v : 'I_K -> R.
Definition sum_exp u : R := \sum_k e (u k).
Definition lse u : R := ln (sum_exp u).
Definition softmax u k : R := e (u k) / sum_exp u.

Lemma sum_exp_gt0 u (k0 : 'I_K) : 0 < sum_exp u.
Proof.
rewrite /sum_exp (bigD1 k0) //= ltr_paddr ?ex_gt0 //.
by apply: sumr_ge0 => k _; rewrite ltW ?ex_gt0.
Qed.
Lemma softmax_gt0 u k : 0 < softmax u k.
Proof. by rewrite divr_gt0 ?ex_gt0 ?(sum_exp_gt0 u k). Qed.
Lemma softmax_sum u (k0 : 'I_K) : \sum_k softmax u k = 1.
Proof. by rewrite /softmax -mulr_suml mulfV // gt_eqF // (sum_exp_gt0 u k0). Qed.

Lemma lse_diff u v (k0 : 'I_K) :
  lse v - lse u = ln (\sum_k softmax u k * e (v k - u k)).
Proof.
have u0 := sum_exp_gt0 u k0; have v0 := sum_exp_gt0 v k0.
have -> : \sum_k softmax u k * e (v k - u k) = sum_exp v / sum_exp u.
  rewrite [sum_exp v]/sum_exp mulr_suml; apply: eq_bigr => k _.
  by rewrite /softmax mulrAC -exD addrC subrK.
by rewrite lnM ?invr_gt0 // lnV.
Qed.

(** The tangent inequality of log-sum-exp ... *)
Lemma lse_tangent u v (k0 : 'I_K) :
  lse u + \sum_k softmax u k * (v k - u k) <= lse v.
Proof.
rewrite -ler_subr_addl (lse_diff u v k0).
exact: (jensen_le _ (softmax_gt0 u) (softmax_sum u k0)).
Qed.
(** ... is an equality exactly when v - u is constant. *)
Lemma lse_tangent_eq u v (k0 : 'I_K) :
  lse v = lse u + \sum_k softmax u k * (v k - u k) <->
  forall k l, v k - u k = v l - u l.
Proof.
have J := jensen_eq (fun k => v k - u k) (softmax_gt0 u) (softmax_sum u k0).
have D := lse_diff u v k0.
split=> [h k l|h].
  suff /J h' : ln (\sum_k softmax u k * e (v k - u k)) = \sum_k softmax u k * (v k - u k).
    by rewrite !h'.
  by rewrite -D h addrC addKr.
have /J h' : forall k, v k - u k = \sum_l softmax u l * (v l - u l).
  move=> k; under eq_bigr do rewrite (h _ k).
  by rewrite -mulr_suml softmax_sum ?mul1r.
by rewrite -h' -D addrC subrK.
Qed.

Lemma sum_exp_shift u a : sum_exp (fun k => u k + a) = sum_exp u * e a.
Proof. by rewrite /sum_exp mulr_suml; apply: eq_bigr => k _; rewrite exD. Qed.
Lemma lse_shift u a (k0 : 'I_K) : lse (fun k => u k + a) = lse u + a.
Proof. by rewrite /lse sum_exp_shift lnM ?ex_gt0 ?(sum_exp_gt0 u k0) // exK. Qed.
Lemma softmax_shift u a k : softmax (fun k => u k + a) k = softmax u k.
Proof.
rewrite /softmax sum_exp_shift exD invfM mulrACA mulfV ?mulr1 //.
by rewrite gt_eqF // ex_gt0.
Qed.
Lemma sum_exp_ext u v : u =1 v -> sum_exp u = sum_exp v.
Proof. by move=> h; apply: eq_bigr => k _; rewrite h. Qed.
End LogSumExp.
End Theory.
