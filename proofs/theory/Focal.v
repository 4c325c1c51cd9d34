(** Focal loss with balanced classes (Zhou et al., NeurIPS 2022), and every loss
    (1/N) sum_i g (p_i) of the target probability p_i with g strictly decreasing.

    The target probability at margin a is at most p(a) = 1/(1 + (K-1) e^{-a}), with
    equality exactly when the other logits are equal (Jensen), so phi a = g (p(a)).
    Focal loss: g p = (1 - p)^gamma (- log p), gamma >= 0 real.  phi is not convex. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced MseModes.
From UFM Require Import Exponential Softmax Contrastive.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section TargetProbability.
Variables (R : rcfType) (E : exponential R) (K N : nat) (lab : 'I_N -> 'I_K).
Hypotheses (K2 : (1 < K)%N) (N0 : (0 < N)%N).
Local Notation e := (ex E).
Local Notation ln := (ln E).
Local Notation Y := (onehot R lab).
Local Notation margin := (margin lab).
Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let K1 : 0 < K%:R - 1 :> R. Proof. by rewrite subr_gt0 ltr1n. Qed.
Let K1N : K%:R - 1 != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.

(** p(a) *)
Definition target_prob (a : R) : R := (1 + (K%:R - 1) * e (- a))^-1.

Let mass a : 1 < 1 + (K%:R - 1) * e (- a).
Proof. by rewrite ltr_addl mulr_gt0 ?ex_gt0. Qed.
Let mass0 a : 0 < 1 + (K%:R - 1) * e (- a).
Proof. exact: lt_trans ltr01 (mass a). Qed.
Lemma target_prob_gt0 a : 0 < target_prob a.
Proof. by rewrite invr_gt0. Qed.
Lemma target_prob_lt1 a : target_prob a < 1.
Proof. by rewrite invf_lt1. Qed.
Lemma target_prob_lt a b : a < b -> target_prob a < target_prob b.
Proof.
move=> ab; rewrite /target_prob ltf_pinv ?posrE // ltr_add2l ltr_pmul2l //.
by apply: ex_lt; rewrite ltr_opp2.
Qed.

Section Sample.
Variables (Z : 'M[R]_(K, N)) (i : 'I_N).
Let y := lab i.
Let a := margin Z i.
Let z k := Z k i.
(** The logits with the others replaced by their mean. *)
Let u k := z y - a * (k != y)%:R.

Let PZ k : (ctr K *m Z) k i = z k - K%:R^-1 * \sum_l z l.
Proof.
rewrite ctr_def mulmxBl mul1mx mxE [(- _ : 'M_(_, _)) k i]mxE mxE.
by congr (_ - _); under eq_bigr do rewrite avgE; rewrite -mulr_sumr.
Qed.
Let aE : a * (K%:R - 1) = K%:R * z y - \sum_l z l.
Proof. by rewrite /a /Contrastive.margin PZ -/y; move: (\sum_l _) => s; field; rewrite KN K1N. Qed.
Let count : \sum_(k : 'I_K) (k != y)%:R = K%:R - 1 :> R.
Proof.
rewrite (bigD1 y) //= eqxx add0r (eq_bigr (fun=> 1)) => [|k ->] //.
by rewrite sumr_const cardC1 card_ord -subn1 natrB.
Qed.
Let sum_u : \sum_k u k = \sum_k z k.
Proof.
rewrite sumrB -mulr_sumr count aE sumr_const card_ord -(mulr_natl (z y)).
by rewrite opprB addrC subrK.
Qed.
Let mass_u : sum_exp E u = e (z y) * (1 + (K%:R - 1) * e (- a)).
Proof.
rewrite /sum_exp (bigD1 y) //= /u eqxx mulr0 subr0 mulrDr mulr1; congr (_ + _).
rewrite (eq_bigr (fun=> e (z y) * e (- a))) => [|k kN]; last by rewrite kN mulr1 exD.
by rewrite sumr_const cardC1 card_ord -mulr_natl -subn1 natrB //; ring.
Qed.
(** The linear term of the tangent of log-sum-exp at u vanishes. *)
Let flat : \sum_k softmax E u k * (z k - u k) = 0.
Proof.
rewrite (eq_bigr (fun k => e (z y - a) / sum_exp E u * (z k - u k))) => [|k _].
  by rewrite -mulr_sumr sumrB sum_u subrr mulr0.
rewrite /softmax /u; case: eqP => [->|_]; last by rewrite mulr1.
by rewrite mulr0 subr0 subrr !mulr0.
Qed.
Let softE : softmax_col E Z y i = e (z y) / sum_exp E z.
Proof. by []. Qed.
Let tprobE : target_prob a = e (z y) / sum_exp E u.
Proof. by rewrite mass_u invfM mulrA mulfV ?mul1r // gt_eqF // ex_gt0. Qed.

Lemma target_le : softmax_col E Z y i <= target_prob a.
Proof.
rewrite softE tprobE ler_pmul2l ?ex_gt0 // lef_pinv ?posrE ?(sum_exp_gt0 E _ y) //.
rewrite -[sum_exp E u](lnK E) ?(sum_exp_gt0 E _ y) //.
rewrite -[X in _ <= X](lnK E) ?(sum_exp_gt0 E _ y) //; apply: ex_le.
by have := lse_tangent E u z y; rewrite flat addr0.
Qed.
Lemma target_eq : softmax_col E Z y i = target_prob a <->
  forall k, (ctr K *m Z) k i = a * (ctr K *m Y) k i.
Proof.
have s0 v : 0 < sum_exp E v := sum_exp_gt0 E v y.
have PY k : (ctr K *m Y) k i = (k == y)%:R - K%:R^-1 by rewrite mulmx_onehot ctrE.
have -> : softmax_col E Z y i = target_prob a <-> lse E z = lse E u + \sum_k softmax E u k * (z k - u k).
  rewrite flat addr0 softE tprobE /lse; split=> [h|/ln_inj h]; last by rewrite h.
  congr (ln _); apply: invr_inj; apply: (mulfI _ h); exact: lt0r_neq0 (ex_gt0 E _).
rewrite (lse_tangent_eq E u z y); split=> [h k|h k l].
  have zk : z k = u k.
    by have := h k y; rewrite {2}/u eqxx mulr0 subr0 subrr => /eqP; rewrite subr_eq0 => /eqP.
  rewrite PZ PY zk /u; have -> : \sum_l z l = K%:R * z y - a * (K%:R - 1) by rewrite aE subKr.
  by case: (k == y); rewrite /= ?mulr1n ?mulr0n; field.
have d q : z q = u q.
  have := h q; have := h y; rewrite !PZ !PY eqxx => h1 h2.
  have -> : z q = z y + (a * ((q == y)%:R - K%:R^-1) - a * (1 - K%:R^-1)).
    by rewrite -h2 -[1 - _]/(true%:R - K%:R^-1 : R) -h1; ring.
  by rewrite /u; case: (q == y); rewrite /= ?mulr1n ?mulr0n; ring.
by rewrite !d !subrr.
Qed.
End Sample.

(** Any strictly decreasing function of the target probability is contrastive. *)
Variable g : R -> R.
Hypothesis g_dec : forall p q, 0 < p -> p < q -> q < 1 -> g q < g p.
Definition target_loss (Z : 'M[R]_(K, N)) : R :=
  N%:R^-1 * \sum_i g (softmax_col E Z (lab i) i).
Definition target_phi (a : R) : R := g (target_prob a).

Let g_le p q : 0 < p -> p <= q -> q < 1 -> g q <= g p.
Proof.
move=> p0; rewrite le_eqVlt => /orP[/eqP->//|pq q1]; exact: ltW (g_dec p0 pq q1).
Qed.
Let soft0 (Z : 'M[R]_(K, N)) k i : 0 < softmax_col E Z k i.
Proof. exact: softmax_gt0. Qed.
Theorem target_loss_contrastive : contrastive lab target_loss target_phi.
Proof.
have le Z i : target_phi (margin Z i) <= g (softmax_col E Z (lab i) i).
  exact: g_le (soft0 _ _ _) (target_le _ _) (target_prob_lt1 _).
split=> [Z|Z|a b ab].
- by rewrite /target_loss ler_pmul2l ?invr_gt0 //; apply: ler_sum.
- have iN : N%:R^-1 != 0 :> R by rewrite invr_eq0.
  split=> [/(mulfI iN) h k i|h]; last first.
    by congr (_ * _); apply: eq_bigr => i _; rewrite /target_phi (target_eq Z i).2.
  apply/(target_eq Z i).1: k; apply/eqP; rewrite eq_le target_le /= leNgt; apply/negP => lt.
  have gl := g_dec (soft0 Z _ _) lt (target_prob_lt1 _).
  move/eqP: h; rewrite -subr_eq0 -sumrB psumr_eq0 => [/allP/(_ i (mem_index_enum _))|j _].
    by rewrite /= subr_eq0 gt_eqF.
  by rewrite subr_ge0.
exact: g_dec (target_prob_gt0 _) (target_prob_lt ab) (target_prob_lt1 _).
Qed.
End TargetProbability.

(** ** Focal loss *)
Section Focal.
Variables (R : rcfType) (E : exponential R) (K N n d : nat) (lab : 'I_N -> 'I_K).
Variables (lw lh gamma : R).
Hypotheses (K2 : (1 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh) (gamma0 : 0 <= gamma).
Local Notation ln := (ln E).
Local Notation rho := (mean_scale n lw lh).
Local Notation ETF := (simplex_etf_collapse n lab lw lh).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

(** (1 - p)^gamma (- log p) *)
Definition focal (p : R) : R := ex E (gamma * ln (1 - p)) * - ln p.
Lemma focal_decreasing p q : 0 < p -> p < q -> q < 1 -> focal q < focal p.
Proof.
move=> p0 pq q1; have q0 := lt_trans p0 pq; have p1 := lt_trans pq q1.
have lq : 0 < - ln q by rewrite oppr_gt0 -(ln1 E); apply: ln_lt.
have lp : - ln q < - ln p by rewrite ltr_opp2; apply: ln_lt.
rewrite /focal; apply: le_lt_trans (_ : _ <= ex E (gamma * ln (1 - p)) * - ln q) _.
  rewrite ler_pmul2r //; apply: ex_le; apply: ler_wpmul2l => //.
  by apply: ln_le; rewrite ?subr_gt0 // ler_add2l ler_opp2 ltW.
by rewrite ltr_pmul2l ?ex_gt0.
Qed.

Definition focal_loss : 'M[R]_(K, N) -> R := target_loss E lab focal.
(** Focal loss as a function of the margin, and with its price. *)
Definition focal_phi : R -> R := target_phi E K focal.
Definition focal_margin_cost (a : R) : R := focal_phi a + kap K n lw lh * a.
Local Notation F := focal_margin_cost.

Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 (ltnW K2). Qed.
Let contr : contrastive lab focal_loss focal_phi :=
  target_loss_contrastive E lab K2 N0 focal_decreasing.

(** Without bias, gamma >= 0: f is at least the minimum of one function of the margin
    over a >= 0, ... *)
Theorem focal_lower v W H : (forall a, 0 <= a -> v <= F a) ->
  v <= ufm focal_loss lw lh NoBias W H 0.
Proof. by move=> h; exact: (contrastive_lower K2 n0 bal lw0 lh0 contr h). Qed.
(** ... attained exactly at simplex ETFs whose margin attains that minimum, ... *)
Theorem focal_simplex_etf_iff v W H : (forall a, 0 <= a -> v <= F a) ->
  ufm focal_loss lw lh NoBias W H 0 = v <->
  exists a, [/\ 0 <= a, F a = v & ETF (rho * a) W H].
Proof. by move=> h; exact: (contrastive_iff K2 n0 bal lw0 lh0 contr h). Qed.
(** ... which exist for d >= K - 1 ... *)
Theorem focal_simplex_etf_attained a : 0 <= a ->
  (K.-1 <= d)%N \/ a = 0 ->
  exists W H, ufm focal_loss lw lh NoBias W H 0 = F a /\ ETF (rho * a) W H.
Proof. by move=> a0; exact: (contrastive_attained K2 n0 bal lw0 lh0 contr a0 (erefl (F a))). Qed.
Theorem focal_simplex_etf_minimisers a0 W H : 0 <= a0 -> (forall x, 0 <= x -> F a0 <= F x) ->
  (K.-1 <= d)%N \/ a0 = 0 ->
  global_min focal_loss lw lh NoBias W H 0 <->
  exists a, [/\ 0 <= a, F a = F a0 & ETF (rho * a) W H].
Proof. by move=> a00 h; exact: (contrastive_minimisers K2 n0 bal lw0 lh0 contr h W H a00 (erefl (F a0))). Qed.
(** ... and no smaller d, unless margin zero attains the minimum too. *)
Theorem focal_simplex_etf_needs_dim v W H : (forall a, 0 <= a -> v <= F a) ->
  (d < K.-1)%N -> v < focal_phi 0 -> v < ufm focal_loss lw lh NoBias W H 0.
Proof. by move=> h; exact: (contrastive_needs_dim K2 n0 bal lw0 lh0 contr h). Qed.

(** With a bias, where focal_phi has a supporting line of slope -k at the minimising
    margin (k <= kap, k = kap unless a = 0). *)
Theorem focal_biased_lower m a k W H b :
  (forall lb, m = RegularizedBias lb -> 0 < lb) -> 0 <= a -> 0 <= k -> k <= kap K n lw lh ->
  a = 0 \/ k = kap K n lw lh -> (forall x, focal_phi a + k * (a - x) <= focal_phi x) ->
  bias_allowed m b -> F a <= ufm focal_loss lw lh m W H b.
Proof.
by move=> mp a0 k0 kl sl su ok; exact: (supported_lower K2 n0 bal lw0 lh0 contr mp k0 kl sl su W H ok).
Qed.
Theorem focal_biased_minimisers m a k W H b :
  (forall lb, m = RegularizedBias lb -> 0 < lb) -> 0 <= a -> 0 <= k -> k <= kap K n lw lh ->
  a = 0 \/ k = kap K n lw lh -> (forall x, focal_phi a + k * (a - x) <= focal_phi x) ->
  (forall x, focal_phi x = focal_phi a + k * (a - x) -> x = a) ->
  (K.-1 <= d)%N \/ a = 0 ->
  global_min focal_loss lw lh m W H b <->
  [/\ bias_allowed m b, ETF (rho * a) W H & constant_bias m b].
Proof.
move=> mp a0 k0 kl sl su to dim.
exact: (supported_minimisers K2 n0 bal lw0 lh0 contr mp a0 k0 kl sl su to W H b dim).
Qed.
End Focal.
