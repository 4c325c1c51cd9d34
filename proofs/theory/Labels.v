(** One-hot labels, the centring projector P = I - J/K, class means. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** The projectors P = I - J/K and J/K *)
Section Centring.
Variables (R : rcfType) (K : nat).

Lemma onesK m : ones m *m (ones m)^T = m%:R%:M :> 'M[R]_1.
Proof.
apply/matrixP => i j; rewrite !ord1 !mxE.
under eq_bigr do rewrite !mxE mulr1.
by rewrite sumr_const card_ord /= mulr1n.
Qed.

Lemma onesT_norm m : \tr ((ones m)^T *m (ones m)^T^T) = m%:R :> R.
Proof. by rewrite trmxK mxtrace_mulC onesK mxtrace_scalar mulr1n. Qed.

(** J / K (locked, as [ctr] is: the linearity lemmas should see them as atoms) *)
Definition avg : 'M[R]_K := locked (K%:R^-1 *: ((ones K)^T *m ones K)).
(** P = I - J / K *)
Definition ctr : 'M[R]_K := locked (1%:M - avg).

Lemma avg_def : avg = K%:R^-1 *: ((ones K)^T *m ones K).
Proof. by rewrite /avg -lock. Qed.
Lemma ctr_def : ctr = 1%:M - avg.
Proof. by rewrite /ctr -lock. Qed.
Lemma avgE i j : avg i j = K%:R^-1.
Proof. by rewrite avg_def !mxE big_ord_recl big_ord0 !mxE addr0 !mulr1. Qed.
Lemma ctrE i j : ctr i j = (i == j)%:R - K%:R^-1.
Proof. by rewrite ctr_def mxE [(- avg) i j]mxE avgE mxE. Qed.

Lemma avg_tr : avg^T = avg.
Proof. by rewrite avg_def trmxZ trmx_mul trmxK. Qed.
Lemma ctr_tr : ctr^T = ctr.
Proof. by rewrite ctr_def trmxB trmx1 avg_tr. Qed.
Lemma ctr_avgD : ctr + avg = 1%:M.
Proof. by rewrite ctr_def subrK. Qed.

Hypothesis K0 : (0 < K)%N.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.

Lemma avg_ones : avg *m (ones K)^T = (ones K)^T.
Proof.
by rewrite avg_def -scalemxAl -mulmxA onesK mul_mx_scalar scalerA mulVf // scale1r.
Qed.
Lemma ctr_ones : ctr *m (ones K)^T = 0.
Proof. by rewrite ctr_def mulmxBl mul1mx avg_ones subrr. Qed.
Lemma ones_avg : ones K *m avg = ones K.
Proof. by apply: trmx_inj; rewrite trmx_mul avg_tr avg_ones. Qed.
Lemma ones_ctr : ones K *m ctr = 0.
Proof. by apply: trmx_inj; rewrite trmx_mul ctr_tr ctr_ones trmx0. Qed.

Lemma avgM : avg *m avg = avg.
Proof. by rewrite {2}avg_def -scalemxAr mulmxA avg_ones -avg_def. Qed.
Lemma ctr_avg : ctr *m avg = 0.
Proof. by rewrite ctr_def mulmxBl mul1mx avgM subrr. Qed.
Lemma avg_ctr : avg *m ctr = 0.
Proof. by rewrite ctr_def mulmxBr mulmx1 avgM subrr. Qed.
Lemma ctrM : ctr *m ctr = ctr.
Proof. by rewrite {1}ctr_def mulmxBl mul1mx avg_ctr subr0. Qed.

Lemma avg_psd : psd avg.
Proof. by rewrite -avgM -{1}avg_tr; exact: psd_gram. Qed.
Lemma ctr_psd : psd ctr.
Proof. by rewrite -ctrM -{1}ctr_tr; exact: psd_gram. Qed.

Lemma tr_avg : \tr avg = 1.
Proof.
by rewrite avg_def mxtraceZ mxtrace_mulC onesK mxtrace_scalar mulr1n mulVf.
Qed.
Lemma tr_ctr : \tr ctr = K%:R - 1.
Proof. by rewrite ctr_def raddfB /= mxtrace1 tr_avg. Qed.

Lemma rank_avg : (\rank avg <= 1)%N.
Proof.
by rewrite avg_def; apply: leq_trans (mxrank_scale _ _) (leq_trans (mxrankM_maxr _ _) (rank_leq_row _)).
Qed.
(** The rank of P is K - 1: the dimension that a simplex ETF needs. *)
Lemma rank_ctr : \rank ctr = K.-1.
Proof.
apply/eqP; rewrite eqn_leq; apply/andP; split; last first.
  rewrite -subn1 leq_subLR addnC -[X in (X <= _)%N](mxrank1 R K) -ctr_avgD.
  apply: leq_trans (mxrank_add _ _) _.
  by rewrite leq_add2l rank_avg.
have o1 : (1 <= \rank (ones K : 'rV[R]_K))%N.
  rewrite lt0n mxrank_eq0; apply/eqP => e.
  by move: (congr1 (fun M : 'rV[R]_K => M 0 (Ordinal K0)) e); rewrite !mxE => /eqP;
     rewrite oner_eq0.
have h := mulmx0_rank_max ones_ctr.
by rewrite -ltnS prednK //; apply: leq_trans h; rewrite -add1n leq_add2r.
Qed.

(** (x P + y J/K) (x' P + y' J/K) = x x' P + y y' J/K *)
Definition mix (x y : R) : 'M[R]_K := x *: ctr + y *: avg.

Lemma mixM x y x' y' : mix x y *m mix x' y' = mix (x * x') (y * y').
Proof.
rewrite /mix mulmxDl !mulmxDr -!scalemxAl -!scalemxAr !scalerA.
by rewrite ctrM avgM ctr_avg avg_ctr !scaler0 addr0 add0r.
Qed.
Lemma mix_tr x y : (mix x y)^T = mix x y.
Proof. by rewrite /mix trmxD !trmxZ ctr_tr avg_tr. Qed.
Lemma mix1 : mix 1 1 = 1%:M.
Proof. by rewrite /mix !scale1r ctr_avgD. Qed.
Lemma mixZ a x y : a *: mix x y = mix (a * x) (a * y).
Proof. by rewrite /mix scalerDr !scalerA. Qed.
Lemma mixB x y x' y' : mix x y - mix x' y' = mix (x - x') (y - y').
Proof. by rewrite /mix !scalerBl opprD addrACA. Qed.
Lemma mix_scalar x : mix x x = x%:M.
Proof. by rewrite -[x in LHS]mulr1 -mixZ mix1 scalemx1. Qed.
Lemma mix_ctr x : mix x 0 = x *: ctr.
Proof. by rewrite /mix scale0r addr0. Qed.
Lemma mix_psd x y : 0 <= x -> 0 <= y -> psd (mix x y).
Proof. by move=> x0 y0; apply: psdD; apply: psdZ; rewrite ?ctr_psd ?avg_psd //;
  [exact: ctr_psd|exact: avg_psd]. Qed.
Lemma tr_mix x y : \tr (mix x y) = x * (K%:R - 1) + y.
Proof. by rewrite /mix mxtraceD !mxtraceZ tr_ctr tr_avg mulr1. Qed.
Lemma mix_ones x y : mix x y *m (ones K)^T = y *: (ones K)^T.
Proof. by rewrite /mix mulmxDl -!scalemxAl ctr_ones avg_ones scaler0 add0r. Qed.

Lemma rank_mix x y : (\rank (mix x y) <= K)%N.
Proof. exact: rank_leq_row. Qed.
Lemma rank_mix_full x y : x != 0 -> y != 0 -> \rank (mix x y) = K.
Proof.
move=> xN yN; apply: mxrank_unit.
have /mulmx1_unit[] // : mix x y *m mix x^-1 y^-1 = 1%:M.
by rewrite mixM !mulfV // mix1.
Qed.
Lemma rank_mix_ctr x : x != 0 -> \rank (mix x 0) = K.-1.
Proof. by move=> xN; rewrite mix_ctr mxrank_scale_nz // rank_ctr. Qed.
End Centring.
Arguments ctr {R} K.
Arguments avg {R} K.
Arguments mix {R} K.

(** ** One-hot labels *)
Section OneHot.
Variables (R : rcfType) (K N : nat) (y : 'I_N -> 'I_K).
Definition onehot : 'M[R]_(K, N) := \matrix_(k, i) (y i == k)%:R.
Definition class_size k : nat := #|[pred i | y i == k]|.
Definition balanced n : Prop := forall k, class_size k = n.
Local Notation Y := onehot.

(** Y Y^T = diag (n_1, ..., n_K) *)
Lemma onehot_gram : Y *m Y^T = diag_mx (\row_k (class_size k)%:R).
Proof.
apply/matrixP => k l; rewrite !mxE.
under eq_bigr do rewrite !mxE -natrM mulnb.
case: (eqVneq k l) => [<-|kl].
  under eq_bigr do rewrite andbb.
  rewrite -natr_sum mulr1n /class_size -sum1_card [in RHS]big_mkcond /=.
  by congr (_%:R); apply: eq_bigr => i _; case: (y i == k).
rewrite mulr0n big1 // => i _.
by case: eqP => //= ->; rewrite (negbTE kl).
Qed.

Lemma onehot_colsum : ones K *m Y = ones N.
Proof.
apply/matrixP => r i; rewrite !mxE (bigD1 (y i)) //= !mxE eqxx mulr1.
by rewrite big1 ?addr0 // => k kl; rewrite !mxE eq_sym (negbTE kl) mulr0.
Qed.

(** Column i of M Y is column y_i of M. *)
Lemma mulmx_onehot d (M : 'M[R]_(d, K)) a i : (M *m Y) a i = M a (y i).
Proof.
rewrite mxE (bigD1 (y i)) //= mxE eqxx mulr1.
by rewrite big1 ?addr0 // => k kl; rewrite mxE eq_sym (negbTE kl) mulr0.
Qed.
Lemma col_mulmx_onehot d (M : 'M[R]_(d, K)) i : col i (M *m Y) = col (y i) M.
Proof. by apply/matrixP => a b; rewrite [LHS]mxE [RHS]mxE mulmx_onehot. Qed.

Lemma frob_onehot (Z : 'M[R]_(K, N)) : frob Z Y = \sum_i Z (y i) i.
Proof.
rewrite frobEcol; apply: eq_bigr => i _.
rewrite (bigD1 (y i)) //= mxE eqxx mulr1 big1 ?addr0 // => k kl.
by rewrite mxE eq_sym (negbTE kl) mulr0.
Qed.

Section Balanced.
Variable n : nat.
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced n).
Let nN : n%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.

Lemma balanced_gram : Y *m Y^T = n%:R%:M.
Proof.
rewrite onehot_gram; apply/matrixP => k l; rewrite !mxE.
by case: eqP => [->|//]; rewrite bal.
Qed.
Lemma balanced_size : N = (K * n)%N.
Proof.
rewrite -[LHS]card_ord -sum1_card (partition_big y predT) //=.
rewrite (eq_bigr (fun _ => n)) => [|k _]; last by rewrite sum1_card; exact: bal.
by rewrite sum_nat_const card_ord.
Qed.
Lemma balanced_sizeR : N%:R = K%:R * n%:R :> R.
Proof. by rewrite -natrM -balanced_size. Qed.
Lemma balanced_ones : Y *m (ones N)^T = n%:R *: (ones K)^T.
Proof. by rewrite -onehot_colsum trmx_mul mulmxA balanced_gram mul_scalar_mx. Qed.
Lemma sqF_onehot : sqF Y = N%:R.
Proof.
by rewrite /sqF frob_def balanced_gram mxtrace_scalar balanced_sizeR -[LHS]mulr_natl.
Qed.

(** Class means: the columns of H Y^T / n. *)
Definition class_means d (H : 'M[R]_(d, N)) : 'M[R]_(d, K) :=
  locked (n%:R^-1 *: (H *m Y^T)).
Lemma class_means_def d (H : 'M[R]_(d, N)) : class_means H = n%:R^-1 *: (H *m Y^T).
Proof. by rewrite /class_means -lock. Qed.

Lemma mulmx_onehot_tr d (H : 'M[R]_(d, N)) : H *m Y^T = n%:R *: class_means H.
Proof. by rewrite class_means_def scalerA mulfV // scale1r. Qed.
Lemma class_means_onehot d (M : 'M[R]_(d, K)) : class_means (M *m Y) = M.
Proof.
by rewrite class_means_def -mulmxA balanced_gram mul_mx_scalar scalerA mulVf // scale1r.
Qed.
Lemma onehot_inj d (A B : 'M[R]_(d, K)) : A *m Y = B *m Y -> A = B.
Proof. by move=> e; rewrite -[A]class_means_onehot e class_means_onehot. Qed.
Lemma avg_onehot : avg K *m Y = (K%:R^-1 *: (ones K)^T) *m ones N.
Proof. by rewrite avg_def -!scalemxAl -mulmxA onehot_colsum. Qed.
End Balanced.
End OneHot.
